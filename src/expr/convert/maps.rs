//! `map_beg_int(file,default)` and its like: the value that a file gives to a key.

use std::sync::Arc;

use super::{ADDR, Arg, Args, Context, ExprError, INT, Row, STR, Value, row};
use crate::expr::Type;
use crate::expr::error::{ArgError, FileError};
use crate::expr::pattern::{Flags, Look, Method, View, typed};

/// What stands behind a key, in the type of the converter.
#[derive(Debug, Clone)]
pub struct Map {
    list: Arc<View>,
    gives: Type,
    default: Option<Value<'static>>,
    /// `map_regm`: the value has groups in it.
    groups: bool,
    /// `map_str_key` and its like: the key is given and not what stands behind it (3.4, by its list alone).
    key: bool,
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.list, &other.list) && self.default == other.default && self.gives == other.gives
    }
}

macro_rules! maps {
    ($($name:literal $spec:literal $takes:ident $gives:ident $method:ident,)*) => {
        pub(super) const ROWS: &[Row] = &[
            $(row($name, $spec, ($takes, $gives), |args, context| load(args, context, Method::$method, $gives),
                |args, value, _| look_up(args, value)),)*
        ];
    };
}

maps! {
    "map" "s|s" STR STR Str,
    "map_beg" "s|s" STR STR Beg,
    "map_beg_int" "s|i" STR INT Beg,
    "map_beg_ip" "s|s" STR ADDR Beg,
    "map_beg_key" "s" STR STR Beg,
    "map_dir" "s|s" STR STR Dir,
    "map_dir_int" "s|i" STR INT Dir,
    "map_dir_ip" "s|s" STR ADDR Dir,
    "map_dir_key" "s" STR STR Dir,
    "map_dom" "s|s" STR STR Dom,
    "map_dom_int" "s|i" STR INT Dom,
    "map_dom_ip" "s|s" STR ADDR Dom,
    "map_dom_key" "s" STR STR Dom,
    "map_end" "s|s" STR STR End,
    "map_end_int" "s|i" STR INT End,
    "map_end_ip" "s|s" STR ADDR End,
    "map_end_key" "s" STR STR End,
    "map_int" "s|s" INT STR Int,
    "map_int_int" "s|i" INT INT Int,
    "map_int_ip" "s|s" INT ADDR Int,
    "map_int_key" "s" INT STR Int,
    "map_ip" "s|s" ADDR STR Ip,
    "map_ip_int" "s|i" ADDR INT Ip,
    "map_ip_ip" "s|s" ADDR ADDR Ip,
    "map_ip_key" "s" ADDR STR Ip,
    "map_reg" "s|s" STR STR Reg,
    "map_reg_int" "s|i" STR INT Reg,
    "map_reg_ip" "s|s" STR ADDR Reg,
    "map_reg_key" "s" STR STR Reg,
    "map_regm" "s|s" STR STR Reg,
    "map_str" "s|s" STR STR Str,
    "map_str_int" "s|i" STR INT Str,
    "map_str_ip" "s|s" STR ADDR Str,
    "map_str_key" "s" STR STR Str,
    "map_sub" "s|s" STR STR Sub,
    "map_sub_int" "s|i" STR INT Sub,
    "map_sub_ip" "s|s" STR ADDR Sub,
    "map_sub_key" "s" STR STR Sub,
}

fn load(args: &mut Args, context: &Context<'_>, method: Method, gives: Type) -> Result<(), ExprError> {
    let path = String::from_utf8_lossy(args.text(0)).into_owned();
    let list = context.lists.open(&path, true, "", context.world).map_err(|why| args.blame(0, ArgError::File(why)))?;
    let view = list.view(Look { method, flags: Flags::default(), gives: Some(gives) }, context.world);
    let view = view.map_err(|(line, why)| {
        args.blame(0, ArgError::File(FileError::Line { path: path.clone(), line, why: Box::new(why) }))
    })?;
    let default = match args.get(1) {
        None => None,
        Some(Arg::Int(number)) => Some(Value::Int(*number)),
        Some(_) => match typed(args.text(1), gives) {
            Some(value) => Some(value.into_owned()),
            None => return Err(args.kind(1, "an address")),
        },
    };
    let (groups, key) = (args.name == "map_regm", args.name.ends_with("_key"));
    args.set(0, Arg::Map(Box::new(Map { list: view, gives, default, groups, key })));
    Ok(())
}

fn look_up<'a>(args: &'a [Arg], value: Value<'a>) -> Option<Value<'a>> {
    let Some(Arg::Map(map)) = args.first() else { return None };
    let set = map.list.set();
    let found = set.find(&value).and_then(|found| {
        if map.key {
            return Some(Value::owned(found.entry.key.to_vec()));
        }
        let made = found.entry.with_value(|text| match map.groups {
            false => typed(text, map.gives).map(Value::into_owned),
            true => {
                let whole = value.borrowed().into_text();
                let groups = set.groups(&found, &whole)?;
                let mut out = Vec::new();
                super::substitute::expand(text, &whole, &groups, &mut out)?;
                Some(Value::owned(out))
            }
        });
        made.flatten()
    });
    found.or_else(|| map.default.as_ref().map(Value::borrowed))
}
