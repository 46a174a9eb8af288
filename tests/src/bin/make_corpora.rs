//! Writes the seeds of every fuzzer's corpus; what fuzzers found since stays.

use std::io;

use matchkeep_tests::corpora;
use matchkeep_tests::decoders::DECODERS;

fn main() -> io::Result<()> {
    for (name, _) in DECODERS {
        let folder = corpora::folder().join(name);
        std::fs::create_dir_all(&folder)?;
        for (i, seed) in corpora::seeds(name).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{i}")), seed)?;
        }
    }
    Ok(())
}
