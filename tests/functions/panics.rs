//! A handler that panics, before its answer and behind it. It is a program of the tests' own: no function of ours has a
//! way to make it panic, and a switch for that would be one for everybody. All functions are the same `vercel::serve`
//! around their route, so what holds for this route holds for them.

use crate::function::Function;
use crate::program::Program;
use rovodev::http::guard::Route;
use rovodev::http::{Answer, vercel};
use std::process::Command;

static PANICS: Route = Route {
    function: "panics",
    methods: &[http::Method::GET],
    handle: |_, request| {
        Box::pin(async move {
            assert!(request.uri().query().is_some(), "before the answer");
            Ok(Answer::no_content().behind(async { panic!("behind the answer") }))
        })
    },
};

/// Not a test: the process that the test below starts.
#[tokio::test]
#[ignore = "a child process of another test"]
async fn panicking_function() {
    vercel::serve(&PANICS).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_answers_500_and_ends_its_invocation_alone() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "panics::panicking_function",
        "--ignored",
        "--nocapture",
    ]);
    let supabase = "http://127.0.0.1:1".to_string();
    let variables = [
        ("SUPABASE_URL", supabase),
        ("SUPABASE_PUBLISHABLE_KEY", "sb_publishable_x".into()),
    ];
    let function = Function::start(Program::anywhere(command), &variables).await;
    for (path, expected) in [
        ("/api/panics", 500),
        ("/api/panics?behind", 204),
        ("/api/panics", 500),
    ] {
        let (number, request) = function.request("GET", path);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), expected, "{path}");
        let told = answer.text().await.unwrap();
        assert!(!told.contains("before the answer"), "{told}");
        function.end(number).await;
    }
}
