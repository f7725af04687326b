"""An MQTT client of Debian's python3-paho-mqtt: subscribes, publishes to itself, hears it, leaves.

client.py HOST PORT 3.1|3.1.1|5.0 CLIENT PAYLOAD-BYTES; prints what the broker said and how many bytes came back.
"""

import sys
import threading

import paho.mqtt.client as mqtt

host, port, version, name, size = sys.argv[1:]
protocol = {"3.1": mqtt.MQTTv31, "3.1.1": mqtt.MQTTv311, "5.0": mqtt.MQTTv5}[version]
payload = b"x" * int(size)
heard = threading.Event()
more = {} if protocol == mqtt.MQTTv5 else {"clean_session": True}
client = mqtt.Client(client_id=name, protocol=protocol, **more)


def on_connect(client, _data, _flags, code, *_properties):
    print(f"connected: {int(getattr(code, 'value', code))}")
    client.subscribe(f"echo/{name}", qos=1)


def on_subscribe(client, *_):
    client.publish(f"echo/{name}", payload, qos=1)


def on_message(_client, _data, message):
    print(f"heard: {len(message.payload)}")
    heard.set()


client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
client.will_set(f"gone/{name}", b"w" * 200)
client.connect(host, int(port), keepalive=60)
client.loop_start()
if not heard.wait(15):
    sys.exit("nothing was heard")
client.disconnect()
client.loop_stop()
