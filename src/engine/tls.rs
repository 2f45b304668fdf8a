//! TLS, for `rediss://`, by rustls.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::limit::{Limit, SLICE, is_pause};
use super::url::TlsOptions;

/// How to speak TLS with the servers.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// Reads the certificates. All servers must have a certificate for one name, as those of a cluster
    /// have: they announce themselves by number.
    ///
    /// # Errors
    /// Which file is wrong, or that the name is none.
    pub fn new(options: &TlsOptions, host: &str) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        let builder = builder.with_root_certificates(roots(options.cacert.as_deref())?);
        let config = match &options.identity {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => builder
                .with_client_auth_cert(certificates(cert)?, private_key(key)?)
                .map_err(|error| format!("{}: {error}", cert.display()))?,
        };
        let name = options.sni.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned());
        Ok(Self {
            config: Arc::new(config),
            name: name.map_err(|_| "the name of a server for TLS is that of a host".to_owned())?,
        })
    }

    /// Shakes hands with a server.
    pub(super) fn begin(&self, tcp: TcpStream, limit: &Limit) -> io::Result<Session> {
        let client = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        let client = client.map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(client, tcp);
        while stream.conn.is_handshaking() {
            let left = limit.left().ok_or(io::ErrorKind::TimedOut)?.min(SLICE);
            stream.sock.set_read_timeout(Some(left))?;
            stream.sock.set_write_timeout(Some(left))?;
            match stream.conn.complete_io(&mut stream.sock) {
                Err(error) if is_pause(&error) => {}
                done => _ = done?,
            }
        }
        Ok(Session(stream))
    }
}

/// A stream that is encrypted.
pub(super) struct Session(StreamOwned<ClientConnection, TcpStream>);

impl Session {
    pub(super) fn tcp(&self) -> &TcpStream {
        &self.0.sock
    }
}

impl Read for Session {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Session {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn roots(cacert: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let certificates = match cacert {
        Some(file) => certificates(file)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err("there are no certificates to trust: --cacert names a file of them".into());
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_reader_iter(open(file)?).collect();
    let certificates: Vec<_> = Result::map_err(certificates, |error| failed(file, &error))?;
    if certificates.is_empty() {
        return Err(format!("{} has no certificate in PEM", file.display()));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_reader(open(file)?).map_err(|error| failed(file, &error))
}

fn open(file: &Path) -> Result<BufReader<File>, String> {
    let opened = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(BufReader::new(opened))
}

fn failed(file: &Path, error: &rustls::pki_types::pem::Error) -> String {
    format!("{}: {error}", file.display())
}
