//! Addresses of servers, as `redis://[user:password@]host:port[,host:port…]`, or `rediss://` for TLS.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// The port of a server whose address names none.
const PORT: u16 = 6379;

/// Servers to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Host and port of each, at least one.
    pub hosts: Vec<(String, u16)>,
    /// How to log in.
    pub login: Credentials,
    /// Whether to use TLS.
    pub is_secure: bool,
}

/// What is needed for TLS, beside a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// The certificates that are trusted, in PEM; `None`: those of the system.
    pub cacert: Option<PathBuf>,
    /// The certificate of this client and its key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the servers' certificates must have; `None`: the host.
    pub sni: Option<String>,
}

/// A user and a password. They are shown nowhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    user: Option<String>,
    password: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Logs in with this password.
    pub fn set_password(&mut self, password: String) {
        self.password = Some(password);
    }

    /// Whether there is no password.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.password.is_none()
    }

    /// The command that logs in; `None`: none is needed.
    #[must_use]
    pub fn words(&self) -> Option<Vec<&str>> {
        let password = self.password.as_deref()?;
        let user = self.user.as_deref();
        Some(["AUTH"].into_iter().chain(user).chain([password]).collect())
    }
}

impl std::str::FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let secure = text.strip_prefix("rediss://");
        let rest = secure.or_else(|| text.strip_prefix("redis://"));
        let rest = rest.ok_or("write redis://HOST:PORT, or rediss:// for TLS")?;
        // A password may hold an @ itself.
        let (login, hosts) = match rest.rsplit_once('@') {
            Some((login, hosts)) => (login_of(login)?, hosts),
            None => (Credentials::default(), rest),
        };
        let hosts = hosts.strip_suffix('/').unwrap_or(hosts);
        if hosts.contains('/') {
            return Err("a path or a database is not supported: write redis://HOST:PORT".into());
        }
        let hosts = hosts.split(',').map(host_of).collect::<Result<_, _>>()?;
        Ok(Self {
            hosts,
            login,
            is_secure: secure.is_some(),
        })
    }
}

fn login_of(text: &str) -> Result<Credentials, String> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let (user, password) = (decoded(user)?, decoded(password)?);
    Ok(Credentials {
        user: Some(user).filter(|user| !user.is_empty()),
        password: Some(password).filter(|password| !password.is_empty()),
    })
}

/// Text with its %XX as bytes.
///
/// # Errors
/// If a % is not followed by two hexadecimal digits.
pub fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = after.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or("a % in a user or a password is written %25")?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| "a user and a password are UTF-8".into())
}

fn host_of(text: &str) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err("a host is missing: write redis://HOST:PORT".into());
    }
    let port = match port {
        None => PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|&port| port > 0)
            .ok_or_else(|| format!("{port} is no port: it is a number from 1 to 65535"))?,
    };
    Ok((host.to_owned(), port))
}

/// The address of a host, by its name or its number.
///
/// # Errors
/// If the system does not know the name.
pub fn resolve(host: &str, port: u16) -> Result<SocketAddr, String> {
    let unknown = || format!("{host}: there is no such host");
    let mut addresses = (host, port).to_socket_addrs().map_err(|_| unknown())?;
    addresses.next().ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let url: Url = "redis://a:7000,[::1]:7001,b".parse().expect("an address");
        let expected = [("a", 7000), ("::1", 7001), ("b", 6379)];
        assert_eq!(
            url.hosts,
            expected.map(|(host, port)| (host.to_owned(), port))
        );
        assert_eq!(url.login.words(), None);
        let login = |text: &str| {
            let url: Url = text.parse().expect("an address");
            url.login.words().map(|it| it.join(" "))
        };
        assert_eq!(login("redis://:p%40@x/").as_deref(), Some("AUTH p@"));
        assert_eq!(login("redis://ann:s:e@x").as_deref(), Some("AUTH ann s:e"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for text in [
            "a:7000",
            "http://a",
            "rediss://:secret@a/3",
            "redis://",
            "redis://:secret@",
            "redis://:secret@a:0",
            "redis://:secret@a:70000",
            "redis://:secret@a:x",
            "redis://:secret@a/3",
            "redis://:secret%zz@a",
        ] {
            let error = text.parse::<Url>().expect_err(text);
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        let url: Url = "redis://ann:secret@x".parse().expect("an address");
        assert!(!format!("{url:?}").contains("secret"));
    }
}
