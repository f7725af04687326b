"""What Python's readers make of a running proxy, one fact a line. Called by tests/watchers.

read.py metrics FILE      the text format, by prometheus' own parser: name, type and labels of each sample
read.py schema FILE FILE… the first file is a schema, by which the others are judged
read.py admin FOLDER      by haproxyadmin, over the stats socket in that folder; gives orders, too
"""
import json
import sys


def metrics(path):
    from prometheus_client.parser import text_string_to_metric_families
    with open(path) as text:
        for family in text_string_to_metric_families(text.read()):
            assert family.documentation and family.samples, family.name
            for sample in family.samples:
                labels = ",".join(f"{name}={value}" for name, value in sample.labels.items() if name != "version")
                print(family.type, sample.name, labels)


def schema(path, *answers):
    import jsonschema
    with open(path) as text:
        known = json.load(text)
    jsonschema.Draft4Validator.check_schema(known)
    validator = jsonschema.Draft4Validator(known)
    for answer in answers:
        with open(answer) as text:
            value = json.load(text)
        print(len(value), "things,", len(list(validator.iter_errors(value))), "errors")
        # One that checks nothing would let this through.
        broken = json.loads(json.dumps(value))
        item = broken[0] if isinstance(broken[0], dict) else broken[0][0]
        item["value"]["type"] = "u32"
        item["value"]["value"] = "word"
        print(len(list(validator.iter_errors(broken))), "errors in a broken one")


def admin(folder):
    from haproxyadmin import STATE_DISABLE, STATE_ENABLE, haproxy
    proxy = haproxy.HAProxy(socket_dir=folder)
    print("nodes", proxy.nodeprocesses == 1 if hasattr(proxy, "nodeprocesses") else len(proxy.processids))
    print("maxconn", proxy.maxconn, "connections", proxy.totalrequests >= 0)
    print("frontends", sorted(front.name for front in proxy.frontends()))
    print("backends", sorted(back.name for back in proxy.backends()))
    for server in sorted(proxy.servers(backend="mqtt"), key=lambda server: server.name):
        print(server.name, server.status, server.weight, server.backendname, server.metric("stot"), server.sid)
    front = proxy.frontend("mqtt")
    print(front.status, front.maxconn, front.metric("stot"), front.iid == proxy.frontend("mqtt").iid)
    print("setmaxconn", front.setmaxconn(77), proxy.frontend("mqtt").maxconn)
    one = proxy.server("broker_1", backend="mqtt")[0]
    print("setweight", one.setweight(3), one.weight)
    print("setstate", one.setstate(STATE_DISABLE), one.status)
    print("setstate", one.setstate(STATE_ENABLE), one.status.split()[0])
    print("disable", front.disable(), front.status, front.enable(), front.status)
    print("clear", proxy.clearcounters(all=True), front.metric("stot"))
    print("command", proxy.command("show stat")[0][1][0][:20])


if __name__ == "__main__":
    {"metrics": metrics, "schema": schema, "admin": admin}[sys.argv[1]](*sys.argv[2:])
