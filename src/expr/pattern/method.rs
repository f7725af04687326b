//! The ways to compare. Source: manual §7.1.

use crate::expr::Type;

macro_rules! methods {
    ($($method:ident $name:literal $doc:literal,)*) => {
        /// A way to compare.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = $doc] $method,)*
        }

        impl Method {
            /// The word behind `-m`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$method => $name,)* }
            }

            /// The method of that name.
            pub fn named(name: &[u8]) -> Option<Self> {
                [$(Self::$method,)*].into_iter().find(|method| method.name().as_bytes() == name)
            }
        }
    };
}

methods! {
    Found "found" "There is a value.",
    Bool "bool" "It is no zero.",
    Int "int" "A number or a range.",
    Ip "ip" "An address or a network.",
    Bin "bin" "Bytes in hexadecimal digits.",
    Len "len" "The length of the text, as a number or a range.",
    Str "str" "The whole text.",
    Beg "beg" "Its beginning.",
    Sub "sub" "Any part of it.",
    Dir "dir" "A part between slashes.",
    Dom "dom" "A part between dots.",
    End "end" "Its end.",
    Reg "reg" "A regular expression.",
}

impl Method {
    /// What a value of a type is compared with if nobody says how.
    pub fn default_of(kind: Type) -> Option<Self> {
        match kind {
            Type::Bool => Some(Self::Bool),
            Type::Int => Some(Self::Int),
            Type::Addr | Type::Ipv4 | Type::Ipv6 => Some(Self::Ip),
            Type::Str | Type::Method => Some(Self::Str),
            Type::Bin | Type::Any => None,
        }
    }

    /// Whether values of a type are compared so.
    pub fn takes(self, kind: Type) -> bool {
        match self {
            Self::Found => true,
            Self::Bool | Self::Int => kind.casts_to(Type::Int),
            Self::Ip => kind.casts_to(Type::Addr),
            Self::Bin => kind.casts_to(Type::Bin),
            _ => kind.casts_to(Type::Str),
        }
    }

    /// Whether it looks at no pattern.
    pub fn needs_none(self) -> bool {
        matches!(self, Self::Found | Self::Bool)
    }

    /// Whether patterns are numbers.
    pub fn numeric(self) -> bool {
        matches!(self, Self::Int | Self::Len)
    }
}

/// How a number is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Op {
    /// Equal.
    #[default]
    Eq,
    /// Greater or equal.
    Ge,
    /// Greater.
    Gt,
    /// Less or equal.
    Le,
    /// Less.
    Lt,
}

impl Op {
    /// The operator of that name.
    pub fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"eq" => Self::Eq,
            b"ge" => Self::Ge,
            b"gt" => Self::Gt,
            b"le" => Self::Le,
            b"lt" => Self::Lt,
            _ => return None,
        })
    }
}

/// The flags of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags {
    /// `-i`: case does not count.
    pub any_case: bool,
    /// `-n`: no name is looked up.
    pub no_names: bool,
}
