//! User lists.

use crate::expr::users;

/// A `userlist` section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Userlist {
    /// Its name.
    pub name: String,
    /// Its users; a name stands once.
    pub users: Vec<User>,
    /// Its groups.
    pub groups: Vec<String>,
}

/// A user of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: Password,
    /// The groups that the user is in.
    pub groups: Vec<String>,
}

/// A password as a configuration has it.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Password {
    /// None was given: nothing fits.
    #[default]
    None,
    /// `insecure-password`: as it is.
    Clear(String),
    /// `password`: hashed by crypt(3).
    Hash(String),
}

impl std::fmt::Debug for Password {
    /// Passwords are not shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Clear(_) => "Clear(…)",
            Self::Hash(_) => "Hash(…)",
        })
    }
}

impl Userlist {
    /// The user of this name, if the password is right. A hash takes its time: that is what it is made for.
    pub fn verify(&self, name: &[u8], password: &[u8]) -> Option<&User> {
        let user = self.users.iter().find(|user| user.name.as_bytes() == name)?;
        let fits = match &user.password {
            Password::None => false,
            Password::Clear(own) => users::same(own.as_bytes(), password),
            Password::Hash(hash) => users::verify(hash, password),
        };
        fits.then_some(user)
    }
}
