//! Runs each seed of the fuzzer through what the fuzzer checks.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::path::Path;

fn run(target: &str, check: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&seeds).expect("a directory of seeds") {
        let data = std::fs::read(entry.expect("an entry").path()).expect("a seed");
        check(&data);
        // Each cut and each flipped bit of it, too.
        for n in 0..data.len() {
            check(&data[..n]);
            let mut changed = data.clone();
            changed[n] ^= 1 << (n % 7);
            check(&changed);
        }
        count += 1;
    }
    assert!(count > 0, "no seeds in {}", seeds.display());
}

#[test]
fn framer() {
    run("framer", targets::framer);
}

#[test]
fn envelope() {
    run("envelope", targets::envelope);
}

#[test]
fn jid() {
    run("jid", targets::jid);
}

#[test]
fn sasl() {
    run("sasl", targets::sasl);
}
