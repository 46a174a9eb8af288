//! The committed corpora, replayed: what a fuzzer once found stays found.

use std::path::PathBuf;

use matchkeep_tests::corpora;
use matchkeep_tests::decoders::DECODERS;

fn entries(folder: PathBuf) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("it is readable").path()).collect()
}

#[test]
fn every_decoder_takes_its_corpus() {
    for (name, decode) in DECODERS {
        let corpus = entries(corpora::folder().join(name));
        assert!(corpus.len() >= 2, "{name}: {} entries", corpus.len());
        for path in corpus {
            let bytes = std::fs::read(&path).expect("it is readable");
            assert!(bytes.len() <= 64 * 1024, "{}: corpora are small", path.display());
            decode(&bytes);
        }
    }
}

#[test]
fn the_seeds_are_what_the_wire_format_is_now() {
    for (name, _) in DECODERS {
        for (i, seed) in corpora::seeds(name).iter().enumerate() {
            let path = corpora::folder().join(name).join(format!("seed-{i}"));
            let committed = std::fs::read(&path).unwrap_or_default();
            let hint = "run `cargo run -p matchkeep-tests --bin make_corpora`";
            assert!(committed == *seed, "{} is not up to date: {hint}", path.display());
        }
    }
}

#[test]
fn every_decoder_has_a_fuzz_target_and_every_target_a_decoder() {
    let manifest = corpora::folder().join("../Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).expect("it is there");
    let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
    let targets = manifest["bin"].as_array().expect("it has targets");
    let targets: Vec<&str> = targets.iter().filter_map(|bin| bin["name"].as_str()).collect();
    let decoders: Vec<&str> = DECODERS.iter().map(|(name, _)| *name).collect();
    assert_eq!(targets, decoders);
}
