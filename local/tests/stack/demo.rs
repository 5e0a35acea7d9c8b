use local::stack::{Parts, Stack};
use local::{demo, supabase};

#[tokio::test]
async fn the_demo_app_is_seeded_once_and_always_the_same() {
    let stack = Stack::start(Parts::default()).await.unwrap();
    let postgres = &stack.postgres;
    let one = postgres.create_database().await.unwrap();
    let other = postgres.create_database().await.unwrap();
    let mut one = supabase::connect(&postgres.owner_url(&one)).await.unwrap();
    let mut other = supabase::connect(&postgres.owner_url(&other))
        .await
        .unwrap();

    assert!(demo::seed(&mut one).await.unwrap());
    assert!(
        !demo::seed(&mut one).await.unwrap(),
        "the second time it is there"
    );
    assert!(demo::seed(&mut other).await.unwrap());

    let contents = demo::contents(&mut one).await.unwrap();
    assert_eq!(contents, demo::contents(&mut other).await.unwrap());
    assert_eq!(contents["calls"].rows, 1145);
    assert_eq!(contents["call_events"].rows, 102);
    assert_eq!(contents["organizations"].rows, 2);

    demo::damage(&mut one).await.unwrap();
    let damaged = demo::contents(&mut one).await.unwrap();
    for table in [
        "agents",
        "calls",
        "call_events",
        "memberships",
        "daily_call_stats",
    ] {
        assert_ne!(contents[table], damaged[table], "{table} is not damaged");
    }
}

#[tokio::test]
async fn the_owner_is_no_superuser_and_a_member_sees_one_tenant() {
    let stack = Stack::start(Parts::default()).await.unwrap();
    let mut owner = supabase::connect(&stack.postgres.owner_url("postgres"))
        .await
        .unwrap();
    demo::seed(&mut owner).await.unwrap();

    let role = owner
        .query_one(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user",
            &[],
        )
        .await
        .unwrap();
    assert_eq!((role.get(0), role.get(1)), (false, true));
    owner
        .batch_execute("SET session_replication_role = replica; RESET session_replication_role")
        .await
        .unwrap();
    let foreign = owner
        .query_one(
            "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = relowner \
             WHERE relnamespace = 'public'::regnamespace AND rolname <> 'postgres'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        foreign.get::<_, i64>(0),
        0,
        "the app's objects belong to the owner"
    );

    owner
        .batch_execute(
            "BEGIN; SELECT set_config('request.jwt.claims', json_build_object('sub', id)::text, true) \
             FROM auth.users WHERE email LIKE 'olga%'; SET LOCAL ROLE authenticated",
        )
        .await
        .unwrap();
    let seen = owner
        .query_one(
            "SELECT count(*), count(DISTINCT organization_id) FROM calls",
            &[],
        )
        .await
        .unwrap();
    let (rows, tenants): (i64, i64) = (seen.get(0), seen.get(1));
    assert!(rows > 0 && rows < 1145, "{rows} calls seen");
    assert_eq!(tenants, 1);
}
