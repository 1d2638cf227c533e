//! The SCRAM credentials of users: what a password can be checked by, never the password.
//!
//! Tree `credentials` has a record for each user and mechanism: its key is the mechanism's number and the user's name, its value
//! JSON. All are in memory, too. The two keys come from the salted password as RFC 5802 says; nothing here is ever printed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};

use super::store::{Batch, Store, StoreError, Tree};

/// How a password is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mechanism {
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl Mechanism {
    /// The mechanism that a number stands for in Kafka's messages.
    pub(crate) fn by_number(number: i8) -> Option<Self> {
        [Self::Sha256, Self::Sha512]
            .into_iter()
            .find(|mechanism| mechanism.number() == number)
    }

    /// Its number in Kafka's messages.
    pub(crate) fn number(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }
}

/// What is kept of a user's password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credential {
    /// What the password was salted with.
    pub salt: Vec<u8>,
    /// How often it was hashed.
    pub iterations: i32,
    /// The hash of the key by which a client proves that it knows the password.
    stored_key: Vec<u8>,
    /// The key by which the server proves that it has the credential.
    server_key: Vec<u8>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential([hidden])")
    }
}

impl Credential {
    /// What is kept of a salted password; `None` where that is empty, of which no key can be made.
    pub(crate) fn new(mechanism: Mechanism, salt: &[u8], iterations: i32, salted_password: &[u8]) -> Option<Self> {
        if salted_password.is_empty() {
            return None;
        }
        let (stored_key, server_key) = match mechanism {
            Mechanism::Sha256 => (
                Sha256::digest(keyed::<Hmac<Sha256>>(salted_password, b"Client Key")?).to_vec(),
                keyed::<Hmac<Sha256>>(salted_password, b"Server Key")?,
            ),
            Mechanism::Sha512 => (
                Sha512::digest(keyed::<Hmac<Sha512>>(salted_password, b"Client Key")?).to_vec(),
                keyed::<Hmac<Sha512>>(salted_password, b"Server Key")?,
            ),
        };
        Some(Self {
            salt: salt.to_vec(),
            iterations,
            stored_key,
            server_key,
        })
    }
}

fn keyed<H: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mut hash = <H as KeyInit>::new_from_slice(key).ok()?;
    hash.update(text);
    Some(hash.finalize().into_bytes().to_vec())
}

/// The credentials of each user who has any.
pub(crate) type Users = BTreeMap<String, BTreeMap<Mechanism, Arc<Credential>>>;

/// A credential to be set, or to be removed.
pub(crate) type Change = (String, Mechanism, Option<Credential>);

/// The credentials of all users.
#[derive(Debug)]
pub(crate) struct Credentials {
    tree: Tree,
    users: RwLock<Users>,
}

impl Credentials {
    /// Reads them.
    pub(crate) fn open(store: &Store) -> Result<Self, StoreError> {
        let tree = store.tree("credentials")?;
        let mut users = Users::new();
        for record in tree.scan_prefix(&[]) {
            let (key, value) = record?;
            let unreadable = || StoreError::Database("a record of a user's credentials cannot be read".to_owned());
            let (number, name) = key.split_first().ok_or_else(unreadable)?;
            let mechanism = Mechanism::by_number(number.cast_signed()).ok_or_else(unreadable)?;
            let name = String::from_utf8(name.to_vec()).map_err(|_| unreadable())?;
            let credential = serde_json::from_slice(&value).map_err(|_| unreadable())?;
            users.entry(name).or_default().insert(mechanism, Arc::new(credential));
        }
        Ok(Self {
            tree,
            users: RwLock::new(users),
        })
    }

    /// Looks at them.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&Users) -> R) -> R {
        look(&self.users.read())
    }

    /// Carries out what `decide` makes of them, all of it or nothing. Durable after the next flush.
    pub(crate) fn alter<R>(&self, decide: impl FnOnce(&Users) -> (Vec<Change>, R)) -> Result<R, StoreError> {
        let mut users = self.users.write();
        let (changes, result) = decide(&users);
        let mut batch = Batch::default();
        for (name, mechanism, credential) in &changes {
            let key = [&[mechanism.number().cast_unsigned()], name.as_bytes()].concat();
            match credential {
                Some(credential) => batch.put(key, serde_json::to_vec(credential).unwrap_or_default()),
                None => batch.remove(key),
            }
        }
        self.tree.apply(batch)?;
        for (name, mechanism, credential) in changes {
            match credential {
                Some(credential) => {
                    let of_user = users.entry(name).or_default();
                    of_user.insert(mechanism, Arc::new(credential));
                }
                None => {
                    if let Some(of_user) = users.get_mut(&name) {
                        of_user.remove(&mechanism);
                        if of_user.is_empty() {
                            users.remove(&name);
                        }
                    }
                }
            }
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.map(byte).collect()
    }

    /// The user of RFC 7677 whose password is "pencil", hashed 4096 times.
    #[test]
    fn the_keys_are_those_of_the_rfc() {
        let salted = bytes("c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d");
        let credential = Credential::new(Mechanism::Sha256, b"salt", 4096, &salted).unwrap();
        let stored_key = bytes("586e5df283e6dceb5c3e791d8b8528ec191e664045ce971792e2e6b5bb13e2a6");
        let server_key = bytes("c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5");
        assert_eq!(credential.stored_key, stored_key);
        assert_eq!(credential.server_key, server_key);
        assert_eq!(Credential::new(Mechanism::Sha256, b"salt", 4096, b""), None);
    }

    #[test]
    fn they_are_there_after_a_restart_and_nothing_of_them_is_printed() {
        let store = Store::in_memory();
        let credentials = Credentials::open(&store).unwrap();
        let make = |mechanism, iterations| Credential::new(mechanism, b"salt", iterations, b"salted").unwrap();
        let set = |name: &str, mechanism, iterations| (name.to_owned(), mechanism, Some(make(mechanism, iterations)));
        let changes = vec![
            set("alice", Mechanism::Sha256, 4096),
            set("alice", Mechanism::Sha512, 5000),
            set("ünï", Mechanism::Sha512, 6000),
        ];
        credentials.alter(|_| (changes, ())).unwrap();
        let again = Credentials::open(&store).unwrap();
        assert_eq!(again.read(Users::clone), credentials.read(Users::clone));
        let of_alice = again.read(|users| users["alice"].clone());
        assert_eq!(of_alice[&Mechanism::Sha512].iterations, 5000);
        assert_ne!(
            of_alice[&Mechanism::Sha256].stored_key,
            of_alice[&Mechanism::Sha512].stored_key
        );
        assert!(!format!("{again:?}").contains("115"), "{again:?}");

        let removed = ("alice".to_owned(), Mechanism::Sha512, None);
        again.alter(|_| (vec![removed], ())).unwrap();
        let removed = ("ünï".to_owned(), Mechanism::Sha512, None);
        again.alter(|_| (vec![removed], ())).unwrap();
        let left = Credentials::open(&store).unwrap().read(Users::clone);
        let left: Vec<_> = left
            .iter()
            .map(|(name, of_user)| (name.as_str(), of_user.len()))
            .collect();
        assert_eq!(left, [("alice", 1)]);
    }
}
