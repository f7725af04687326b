//! The JSON schema of what `show info json` and `show stat json` say.
//!
//! Shape as haproxy's `show schema json`, with the types that baton writes; a test holds real answers against it. Unlike
//! haproxy's it lets through what is described only (`properties` at every level, `value` by its name).

/// The schema, one line.
pub(crate) const SCHEMA: &str = concat!(
    r##"{"$schema":"http://json-schema.org/draft-04/schema#","oneOf":[{"title":"Info","type":"array","items":"##,
    r##"{"title":"InfoItem","type":"object","properties":{"field":{"$ref":"#/definitions/field"},"##,
    r##""processNum":{"$ref":"#/definitions/processNum"},"tags":{"$ref":"#/definitions/tags"},"##,
    r##""value":{"$ref":"#/definitions/typedValue"}},"required":["field","processNum","tags","value"]}},"##,
    r##"{"title":"Stat","type":"array","items":{"title":"Object","type":"array","items":{"title":"StatItem","##,
    r##""type":"object","properties":{"objType":{"enum":["Frontend","Backend","Listener","Server","Unknown"]},"##,
    r##""proxyId":{"type":"integer","minimum":0},"id":{"type":"integer","minimum":0},"##,
    r##""field":{"$ref":"#/definitions/field"},"processNum":{"$ref":"#/definitions/processNum"},"##,
    r##""tags":{"$ref":"#/definitions/tags"},"value":{"$ref":"#/definitions/typedValue"}},"##,
    r##""required":["objType","proxyId","id","field","processNum","tags","value"]}}},"##,
    r##"{"title":"Error","type":"object","properties":{"errorStr":{"type":"string"}},"required":["errorStr"]}],"##,
    r##""definitions":{"field":{"type":"object","properties":{"pos":{"type":"integer","minimum":0},"##,
    r##""name":{"type":"string"}},"required":["pos","name"]},"processNum":{"type":"integer","minimum":1},"##,
    r##""tags":{"type":"object","properties":{"origin":{"type":"string","##,
    r##""enum":["Metric","Status","Key","Config","Product","Unknown"]},"nature":{"type":"string","##,
    r##""enum":["Gauge","Limit","Min","Max","Rate","Counter","Duration","Age","Time","Name","Output","Avg","Unknown"]},"##,
    r##""scope":{"type":"string","enum":["Cluster","Process","Service","System","Unknown"]}},"##,
    r##""required":["origin","nature","scope"]},"typedValue":{"type":"object","oneOf":["##,
    r##"{"properties":{"type":{"enum":["s32"]},"##,
    r##""value":{"type":"integer","minimum":-2147483648,"maximum":2147483647}},"required":["type","value"]},"##,
    r##"{"properties":{"type":{"enum":["u32"]},"value":{"type":"integer","minimum":0,"maximum":4294967295}},"##,
    r##""required":["type","value"]},"##,
    r##"{"properties":{"type":{"enum":["u64"]},"##,
    r##""value":{"type":"integer","minimum":0,"maximum":18446744073709551615}},"required":["type","value"]},"##,
    r##"{"properties":{"type":{"enum":["flt"]},"value":{"type":"number"}},"required":["type","value"]},"##,
    r##"{"properties":{"type":{"enum":["str"]},"value":{"type":"string"}},"required":["type","value"]}]}}}"##,
);
