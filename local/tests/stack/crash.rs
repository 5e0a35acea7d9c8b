use local::stack::{Parts, Stack};
use local::supabase;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LOCAL: &str = env!("CARGO_BIN_EXE_local");

#[tokio::test]
async fn a_crashed_server_starts_again_on_its_port_and_has_what_was_committed() {
    let mut stack = Stack::start(Parts::default()).await.unwrap();
    let url = stack.postgres.owner_url("postgres");
    let client = supabase::connect(&url).await.unwrap();
    let write = "CREATE TABLE kept (i int); INSERT INTO kept VALUES (1); \
                 CREATE UNLOGGED TABLE emptied (i int); INSERT INTO emptied VALUES (1)";
    let superuser = supabase::connect(&stack.postgres.url("postgres"))
        .await
        .unwrap();
    superuser.batch_execute(write).await.unwrap();

    stack.postgres.stop_immediate();
    assert!(client.query_one("SELECT 1", &[]).await.is_err());
    stack.postgres.restart().await.unwrap();

    let client = supabase::connect(&stack.postgres.url("postgres"))
        .await
        .unwrap();
    let counts = client
        .query_one(
            "SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM emptied)",
            &[],
        )
        .await
        .unwrap();
    let counts: (i64, i64) = (counts.get(0), counts.get(1));
    assert_eq!(counts, (1, 0), "a crash empties unlogged tables");
    assert_eq!(url, stack.postgres.owner_url("postgres"));
}

#[test]
fn run_passes_the_exit_code_on() {
    let status = Command::new(LOCAL)
        .args([
            "run",
            "--",
            "sh",
            "-c",
            "test -n \"$ROVODEV_TEST_OWNER_URL\" && exit 7",
        ])
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(7));
}

/// Nobody is left to stop the servers when `local` is killed: the kernel does it.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_run_leaves_no_server() {
    let mut run = Command::new(LOCAL)
        .args([
            "run",
            "--",
            "sh",
            "-c",
            "echo \"$ROVODEV_TEST_OWNER_URL\"; exec sleep 600",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    let mut output = std::io::BufReader::new(run.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut url).unwrap();
    let port = url
        .trim()
        .rsplit(':')
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    let answers = || std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok();
    assert!(answers());

    run.kill().unwrap();
    run.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while answers() {
        assert!(Instant::now() < deadline, "Postgres is still up");
        std::thread::sleep(Duration::from_millis(20));
    }
}
