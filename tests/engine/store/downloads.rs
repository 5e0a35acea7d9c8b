//! A download, or the store by hand, gives the database back with PostgreSQL's own tools alone.

use super::places;
use super::psql::{address, assert_same, back_up, dumped, everything, shell};
use super::sample::{Sample, opened, rows};
use crate::pg_dump::Database;
use rovodev::core::ident::QName;
use rovodev::core::manifest::{Codec, Manifest};
use rovodev::error::Code;
use rovodev::ports::store::{Fault, Op, Rule, Store, Unreliable, When};
use rovodev::tasks::Context;
use rovodev::tasks::download::{DownloadFormat, Downloaded, download};
use std::path::Path;

async fn save(store: &Store, manifest: &Manifest, format: DownloadFormat, to: &Path) -> Downloaded {
    let mut file = tokio::fs::File::create(to).await.unwrap();
    let done = download(&Context::default(), store, manifest, format, &mut file)
        .await
        .unwrap();
    assert_eq!(done.bytes, std::fs::metadata(to).unwrap().len());
    done
}

#[tokio::test]
async fn every_format_gives_the_database_back() {
    let source = everything().await;
    let before = dumped(&address(&source));
    for (codec, formats) in [
        (Codec::Zstd, &DownloadFormat::ALL[..]),
        (
            Codec::Gzip,
            &[DownloadFormat::SqlZst, DownloadFormat::SqlGz][..],
        ),
        (Codec::None, &[DownloadFormat::Tar][..]),
    ] {
        let dir = places::directory();
        let manifest = back_up(&source.url, &opened(&dir.store).await, codec)
            .await
            .unwrap();
        for &format in formats {
            let target = Database::create("store").await;
            let file = dir.folder.path().join(format!("file.{}", format.suffix()));
            let done = save(&dir.store, &manifest, format, &file).await;
            assert!(!done.rows_only);
            restore(dir.folder.path(), format, &address(&target));
            assert_same(&before, &dumped(&address(&target)));
            target.drop().await;
        }
    }
    source.drop().await;
}

fn restore(folder: &Path, format: DownloadFormat, url: &str) {
    let psql = "psql -Xq -v ON_ERROR_STOP=1 -d \"$1\"";
    let script = match format {
        DownloadFormat::SqlZst => format!("zstd -dc file.sql.zst | {psql}"),
        DownloadFormat::SqlGz => format!("gzip -dc file.sql.gz | {psql}"),
        DownloadFormat::Tar => format!(
            "tar xf file.tar && cd rovodev-*/ && {psql} -f restore.sql && cd .. && rm -r rovodev-*"
        ),
    };
    shell(folder, &script, &[url]);
}

/// The script in `RECOVERY.md`, as it lies in the store.
#[tokio::test]
async fn the_store_is_restored_by_hand_as_it_says_itself() {
    let source = everything().await;
    let before = dumped(&address(&source));
    for codec in [Codec::Zstd, Codec::Gzip] {
        let dir = places::directory();
        let manifest = back_up(&source.url, &opened(&dir.store).await, codec)
            .await
            .unwrap();
        let text = std::fs::read_to_string(dir.folder.path().join("RECOVERY.md")).unwrap();
        // The line that shows names and times finds names of every kind.
        let grep = text
            .lines()
            .find_map(|l| l.trim().strip_prefix("`grep"))
            .unwrap();
        let grep = format!("grep{}", grep.trim_end_matches('`'));
        let found = shell(dir.folder.path(), &grep, &[]);
        assert!(
            found.contains(&format!("\"name\":\"{}\"", manifest.name)),
            "{found}"
        );
        assert_eq!(found.matches("\"name\"").count(), 1, "{found}");
        let (_, script) = text.split_once("```bash\n").unwrap();
        let (script, _) = script.split_once("```\n").unwrap();
        let target = Database::create("store").await;
        let backup = format!("backups/default/{}", manifest.id);
        let told = shell(
            dir.folder.path(),
            script,
            &[".", &backup, &address(&target)],
        );
        // It announces these: rows of `auth.users` are not in the backup, and roles were there before.
        let expected = ["already exists", "already member", "\"profiles_id_fkey\""];
        let errors = told.lines().filter(|l| l.contains("ERROR"));
        let surprising = errors.filter(|l| !expected.iter().any(|e| l.contains(e)));
        assert_eq!(surprising.collect::<Vec<_>>(), Vec::<&str>::new());
        let session = target.session().await;
        let key = "ALTER TABLE ONLY public.profiles ADD CONSTRAINT profiles_id_fkey FOREIGN KEY (id) \
                   REFERENCES auth.users(id) ON DELETE CASCADE NOT VALID";
        session.batch("adding the key", key).await.unwrap();
        assert_same(&before, &dumped(&address(&target)));
        drop(session);
        target.drop().await;
    }
    source.drop().await;
}

#[tokio::test]
async fn stored_frames_are_copied_not_compressed_again() {
    let dir = places::directory();
    let to = opened(&dir.store).await;
    let table = (QName::new("public", "t"), vec![rows(1, 50), rows(2, 50)]);
    let manifest = Sample::new("one", vec![table]).write(&to).await;
    let file = dir.folder.path().join("x.sql.zst");
    let done = save(&dir.store, &manifest, DownloadFormat::SqlZst, &file).await;
    assert!(done.rows_only, "it has no definitions and says so");
    let bytes = std::fs::read(&file).unwrap();
    for segment in manifest.tables[0].segments() {
        let key = rovodev::core::keys::segment(&segment.id, Codec::Zstd);
        let stored = dir.store.get(&key).await.unwrap();
        assert!(bytes.windows(stored.len()).any(|w| w == stored));
    }
    let text = shell(dir.folder.path(), "zstd -dc x.sql.zst", &[]);
    assert!(text.contains("ROWS ALONE"), "{text}");
    let copied = format!(
        "COPY \"public\".\"t\" (\"t\") FROM stdin;\n{}{}\\.\n",
        rows(1, 50),
        rows(2, 50)
    );
    assert!(text.contains(&copied), "{text}");
    assert!(text.ends_with(&format!("-- The end of Rovodev backup {}\n", manifest.id)));
}

#[tokio::test]
async fn damage_and_closed_readers_end_a_download() {
    let dir = places::directory();
    let to = opened(&dir.store).await;
    let table = (QName::new("public", "t"), vec![rows(1, 50)]);
    let manifest = Sample::new("one", vec![table]).write(&to).await;
    let flip = Rule::new(When::From(1), Fault::FlipBit).on(Op::Get, "segments/");
    let faulty = Store::Unreliable(Unreliable::new(dir.store.clone(), [flip]));
    let ctx = Context::default();
    for format in DownloadFormat::ALL {
        let e = download(&ctx, &faulty, &manifest, format, &mut tokio::io::sink()).await;
        assert_eq!(e.unwrap_err().code, Code::ObjectDamaged);
        let (mut ours, theirs) = tokio::io::duplex(64);
        drop(theirs);
        let e = download(&ctx, &dir.store, &manifest, format, &mut ours).await;
        assert_eq!(e.unwrap_err().code, Code::Io);
    }
}
