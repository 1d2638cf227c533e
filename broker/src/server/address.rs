//! Addresses as people and Kafka's properties write them.

use std::fmt;
use std::net::TcpListener;

use crate::error::BrokerError;

/// Where clients are told to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advertised {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Advertised {
    /// `wanted` where it is given (port 0 stands for the one listened on), else the host of `listen` and the real port.
    pub(crate) fn new(wanted: Option<&str>, listen: &str, listener: &TcpListener) -> Result<Self, BrokerError> {
        let real = listener.local_addr().map_err(|reason| BrokerError::Listen {
            address: listen.to_owned(),
            reason,
        })?;
        if let Some(wanted) = wanted {
            let (host, port) = split(wanted).ok_or_else(|| bad(wanted))?;
            let port = if port == 0 { real.port() } else { port };
            return Ok(Self { host, port });
        }
        let (host, _) = split(listen).ok_or_else(|| bad(listen))?;
        // An address that means "everywhere" is nowhere for a client.
        let host = match host.as_str() {
            "" | "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
            _ => host,
        };
        Ok(Self {
            host,
            port: real.port(),
        })
    }
}

impl fmt::Display for Advertised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The `host:port` of the first PLAINTEXT listener in a value of `listeners` or `advertised.listeners`; `None` where the
/// value is empty.
pub(crate) fn listener(property: &str) -> Result<Option<String>, BrokerError> {
    let mut found = None;
    for entry in property.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, address) = entry.split_once("://").ok_or_else(|| bad(entry))?;
        split(address).ok_or_else(|| bad(entry))?;
        if name.eq_ignore_ascii_case("PLAINTEXT") && found.is_none() {
            found = Some(address.to_owned());
        } else {
            tracing::warn!(
                listener = entry,
                "only one PLAINTEXT listener is served; this one is not"
            );
        }
    }
    Ok(found)
}

/// Host and port of `host:port`, `[v6]:port` or `:port`.
pub(crate) fn split(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    if bare.contains(':') && bare.len() == host.len() {
        return None;
    }
    Some((bare.to_owned(), port.parse().ok()?))
}

/// What is said of an address that is none.
pub(crate) fn bad(address: &str) -> BrokerError {
    BrokerError::Address {
        address: address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        assert_eq!(split("localhost:9092"), Some(("localhost".into(), 9092)));
        assert_eq!(split("[::1]:0"), Some(("::1".into(), 0)));
        assert_eq!(split(":9092"), Some((String::new(), 9092)));
        for bad in ["localhost", "::1:9092", "h:99999", ""] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_plaintext_listener_is_found_among_others() {
        let found = listener("CONTROLLER://:9093, PLAINTEXT://0.0.0.0:9092").unwrap();
        assert_eq!(found.as_deref(), Some("0.0.0.0:9092"));
        assert_eq!(listener("").unwrap(), None);
        assert!(listener("0.0.0.0:9092").is_err());
    }
}
