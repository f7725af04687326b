//! What is needed to compile an expression: where it stands, the outside, and the files that others loaded.

use super::Place;
use super::pattern::Lists;
use crate::text::World;

/// What is needed to compile an expression.
pub struct Context<'c> {
    /// Where it stands.
    pub place: Place,
    /// Whether a fetch that knows nothing there is an error; in a condition it only never fits.
    pub strict: bool,
    /// Files, names, the environment.
    pub world: &'c dyn World,
    /// The lists and maps of the configuration.
    pub lists: &'c Lists,
}
