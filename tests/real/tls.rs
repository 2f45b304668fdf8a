//! TLS: `--connect rediss://`.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use super::engine::{free_port, run_with};
use super::{Running, start, wait_for};

/// Makes a certificate for `localhost`, and its key.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args([
            "-subj",
            "/CN=shardlab",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .output();
    let made = made.expect("openssl; scripts/test installs it");
    let errors = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{errors}");
}

/// A server that speaks only TLS, with the files of a folder.
fn server(folder: &Path, auth_clients: &str) -> (u16, Running) {
    let port = free_port();
    let mut command = Command::new("redis-server");
    command
        .current_dir(folder)
        .args(["--port", "0", "--save", "", "--tls-port"])
        .args([&port.to_string(), "--tls-auth-clients", auth_clients])
        .args(["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"])
        .args(["--tls-ca-cert-file", "cert.pem"])
        .stdout(Stdio::null());
    let process = start(&mut command);
    wait_for("server", || TcpStream::connect(("127.0.0.1", port)).ok());
    (port, process)
}

#[test]
fn a_server_with_tls_is_used_if_its_certificate_is_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    certificate(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let (port, _server) = server(folder.path(), "no");
    let url = format!("rediss://127.0.0.1:{port}");
    let options = ["--connect", &url, "--write", "--cacert", &cert];
    let named = [&options[..], &["--sni", "localhost"]].concat();
    let lines = "MSET a 1 b 2\nGET a\nINCR b\nSLEEP 100ms\nGET b\n";
    let answers = ("a -> 1\nb -> 3\nb -> 3\n".to_owned(), String::new());
    assert_eq!(run_with(&named, lines), answers);
    // A name that is not that of the certificate, a certificate that nothing trusts, and no TLS.
    let plain = url.replace("rediss", "redis");
    for wrong in [
        &options[..],
        &["--connect", &url, "--sni", "localhost"],
        &["--connect", &plain, "--timeout", "500ms"],
    ] {
        let (printed, errors) = run_with(wrong, "GET a\n");
        assert_eq!(printed, "");
        assert!(errors.contains("--connect: 127.0.0.1"), "{errors}");
    }
    let (port, _server) = server(folder.path(), "yes");
    let url = format!("rediss://127.0.0.1:{port}");
    let options = ["--connect", &url, "--cacert", &cert, "--sni", "localhost"];
    let (printed, errors) = run_with(&options, "GET a\n");
    assert!(
        printed.is_empty() && !errors.is_empty(),
        "{printed}{errors}"
    );
    let known = [&options[..], &["--cert", &cert, "--key", &key]].concat();
    assert_eq!(
        run_with(&known, "GET a\n"),
        ("a -> null\n".to_owned(), String::new())
    );
}

#[test]
fn files_that_are_wrong_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let nothing = folder.path().join("nothing.pem").display().to_string();
    let (_, errors) = run_with(
        &["--connect", "rediss://127.0.0.1:1", "--cacert", &nothing],
        "",
    );
    assert!(errors.contains(&nothing), "{errors}");
    let (_, errors) = run_with(
        &["--connect", "redis://127.0.0.1:1", "--cacert", &nothing],
        "",
    );
    assert!(errors.contains("write rediss://"), "{errors}");
}
