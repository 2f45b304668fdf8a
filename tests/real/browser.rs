//! A report in a browser, in light and dark.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Output};

use super::{shardlab, succeeded};

/// Most bytes of a report.
const MAX_BYTES: u64 = 300_000;
/// Colours that a page has at least, which is not blank: text alone has many, by its smooth edges.
const COLOURS: usize = 50;

/// Runs the browser on a page.
fn chromium(folder: &Path, page: &Path, options: &[&str]) -> Output {
    let mut browser = Command::new("chromium");
    browser.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
    ]);
    browser.args(["--window-size=900,3000", "--enable-logging=stderr", "--v=0"]);
    browser.arg(format!(
        "--user-data-dir={}",
        folder.join("profile").display()
    ));
    browser
        .args(options)
        .arg(format!("file://{}", page.display()));
    browser
        .output()
        .expect("chromium is there; scripts/test installs it")
}

/// The colours of a picture, and the one in its corner.
fn colours(picture: &Path) -> (usize, [u8; 3]) {
    let file = BufReader::new(File::open(picture).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("a picture");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a small one")];
    let frame = reader.next_frame(&mut pixels).expect("a picture");
    let all: BTreeSet<[u8; 3]> = pixels[..frame.buffer_size()]
        .chunks_exact(frame.color_type.samples())
        .map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect();
    (all.len(), [pixels[0], pixels[1], pixels[2]])
}

#[test]
fn a_report_is_shown_in_light_and_dark() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let (trace, page) = (file("zipf.csv"), file("report.html"));
    let (trace, html) = (trace.to_string_lossy(), page.to_string_lossy());
    let generate = ["generate", "zipf", &trace, "--requests", "30000"];
    shardlab(&[&generate[..], &["--keys", "3000", "--size", "10..5000"]].concat());
    shardlab(&["compare", &trace, "--html", &html]);
    let bytes = fs::metadata(&page).expect("a page").len();
    assert!(bytes < MAX_BYTES, "{bytes} bytes");

    let mut corners = Vec::new();
    for (scheme, name) in [("1", "light.png"), ("0", "dark.png")] {
        let picture = file(name);
        let shot = format!("--screenshot={}", picture.display());
        let prefers = format!("--blink-settings=preferredColorScheme={scheme}");
        let output = chromium(folder.path(), &page, &[&shot, &prefers]);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!log.contains("CONSOLE"), "{name}: {log}");
        let (count, corner) = colours(&picture);
        assert!(count >= COLOURS, "{name} has {count} colours");
        corners.push(corner.map(u16::from).iter().sum::<u16>());
    }
    assert!(
        corners[0] > 600 && corners[1] < 200,
        "light and dark: {corners:?}"
    );

    let dom = succeeded(chromium(folder.path(), &page, &["--dump-dom"]));
    for part in ["<svg", "<table", "lru", "s3-fifo", "</html>"] {
        assert!(dom.contains(part), "{part}");
    }
    assert!(!dom.contains("<script"), "it needs no script");
}
