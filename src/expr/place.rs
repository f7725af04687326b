//! Where an expression stands: which of the facts of a session are known there.
//!
//! The places and their order are those of `haproxy -dKsmp` of 2.6.

macro_rules! places {
    ($($place:ident $name:literal,)*) => {
        /// A place where expressions stand.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Place {
            $(#[doc = $name] $place,)*
        }

        impl Place {
            /// All, in the order of `-dKsmp`.
            pub const ALL: &'static [Self] = &[$(Self::$place,)*];

            /// As messages call it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$place => $name,)* }
            }
        }
    };
}

places! {
    FrontendConnection "frontend tcp-request connection rule",
    FrontendSession "frontend tcp-request session rule",
    FrontendContent "frontend tcp-request content rule",
    FrontendHttpRequest "frontend http-request header rule",
    FrontendHttpBody "frontend http-request body rule",
    UseBackend "frontend use-backend rule",
    BackendContent "backend tcp-request content rule",
    BackendHttpRequest "backend http-request header rule",
    BackendHttpBody "backend http-request body rule",
    UseServer "backend use-server, balance or stick-match rule",
    ServerSource "server source selection",
    BackendResponse "backend tcp-response content rule",
    BackendHttpResponse "backend http-response header rule",
    BackendHttpResponseBody "backend http-response body rule",
    StickStore "backend stick-store rule",
    FrontendResponse "frontend tcp-response content rule",
    FrontendHttpResponse "frontend http-response header rule",
    FrontendHttpResponseBody "frontend http-response body rule",
    Log "logs",
    Check "backend tcp-check rule",
    Config "configuration parser",
    Cli "CLI parser",
}

impl Place {
    /// Whether it is worked on before the response, so that the variables of the scope `res` make no sense.
    pub fn in_request(self) -> bool {
        (self as u8) < Place::BackendResponse as u8
    }
}

/// A set of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places(u32);

impl Places {
    /// The places of a row of `-dKsmp`: `Y` for one of them, a dot for none.
    pub const fn row(row: &str) -> Self {
        let bytes = row.as_bytes();
        let (mut bits, mut at) = (0, 0);
        while at < bytes.len() {
            if bytes[at] == b'Y' {
                bits |= 1 << at;
            }
            at += 1;
        }
        Self(bits)
    }

    /// Whether a place is one of them.
    pub const fn allow(self, place: Place) -> bool {
        self.0 >> place as u8 & 1 == 1
    }

    /// The places that are in both.
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
