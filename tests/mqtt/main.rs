//! MQTT around the rules, with real brokers and clients: what passes `mqtt_is_valid`, what is cut and when, who lands where.
//!
//! What the original does is asked of it in the same run, and both must do the same.

mod cutting;
mod fields;
#[path = "../harness/mod.rs"]
mod harness;
mod packets;
mod stage;
mod sticking;
mod tokens;
