//! The power cut under a real file system: ext4 on a file, shut down while a child writes.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use matchkeep_server::store::SqliteJournal;
use matchkeep_shared::rng::Rng;
use matchkeep_tests::journal_play::check;

use super::child::player;
use super::{Mount, compile, may_mount, run, temporary, told};

const CUTS: u64 = 100;
/// Much longer than any child gets.
const ROUNDS: u64 = 100_000;

/// Plays on the mounted file system and cuts it off after some rounds; what the child told until then.
/// (What it tells afterwards does not count: a machine without power tells nothing, and a file system that
/// is shut down in the middle of a sync may let it pass.)
fn cut_in_mid_write(mounted: &Path, cut: &Path, seed: u64, rng: &mut Rng) -> String {
    let mut child = player(mounted, seed, seed, ROUNDS).spawn().expect("it starts");
    let mut said = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut rounds = rng.below(25);
    let mut line = String::new();
    while out.read_line(&mut line).expect("it tells") > 0 {
        said.push_str(&line);
        let ends_round = line == "round\n" || line == "begun\n";
        line.clear();
        if ends_round && rounds == 0 {
            // Within a round.
            std::thread::sleep(Duration::from_micros(u64::from(rng.below(4000))));
            run(cut.to_str().expect("UTF-8"), &[mounted.to_str().expect("UTF-8")]);
            break;
        }
        rounds -= u32::from(ends_round);
    }
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("it tells");
    let status = child.wait().expect("it ends");
    let noticed = rest.contains("broken: ") || rest.contains("trouble: ");
    assert!(noticed, "{status}: {said}{rest}");
    said
}

#[test]
fn a_file_system_cut_off_in_mid_write_keeps_all_that_was_told() {
    if !may_mount("power cuts") {
        return;
    }
    let folder = temporary();
    let cut = compile("cut.c", folder.path(), &[]);
    let (image, mounted) = (folder.path().join("image"), folder.path().join("mounted"));
    let image_text = image.to_str().expect("UTF-8");
    File::create(&image).and_then(|file| file.set_len(48 << 20)).expect("there is space");
    run("mkfs.ext4", &["-q", "-F", image_text]);
    std::fs::create_dir(&mounted).expect("there is space");
    let mut rng = Rng::new(9);
    let mut all = matchkeep_tests::journal_play::Told::new();
    let mut rounds = 0;
    for seed in 0..=CUTS {
        let mount = Mount::new(&["-o", "loop", image_text], &mounted);
        let database = mounted.join("data");
        let _ = std::fs::create_dir(&database);
        // As the cuts before left it: all that was ever told is in it.
        let journal = SqliteJournal::open(&database).expect("it opens");
        assert_eq!(check(&journal, &all), 0, "after cut {seed}");
        drop(journal);
        if seed < CUTS {
            let said = cut_in_mid_write(&database, &cut, seed, &mut rng);
            rounds += said.lines().filter(|line| *line == "round").count();
            all.extend(told(&said));
        }
        drop(mount);
    }
    assert!(rounds > 500, "{rounds} rounds in {CUTS} cuts");
}
