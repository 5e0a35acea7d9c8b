//! Rows of the platform's tables, taken where asked for: users, and what a sign-in by a provider needs.

mod another_database;
mod by_hand;
mod in_place;
mod taken;

use crate::support::Source;
use rovodev::core::manifest::{Codec, Manifest, Selection};
use tokio_postgres::Client;

/// As newer projects have them; `auth.sessions` is what refers to users and is never taken.
const AUTH: &str = "
    CREATE TABLE auth.identities (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
        provider text NOT NULL, identity_data jsonb NOT NULL,
        email text GENERATED ALWAYS AS (lower(identity_data ->> 'email')) STORED, UNIQUE (provider, id));
    CREATE TABLE auth.sessions (id int PRIMARY KEY, user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE);
    ALTER TABLE auth.identities ENABLE ROW LEVEL SECURITY;
    ALTER TABLE auth.identities OWNER TO supabase_auth_admin;
    ALTER TABLE auth.sessions OWNER TO supabase_auth_admin;
    GRANT SELECT, INSERT, UPDATE, DELETE, REFERENCES, TRIGGER ON auth.identities, auth.sessions TO postgres;";

/// The owner's app, with the trigger that makes a profile of each new user.
const APP: &str = "
    CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE, name text);
    CREATE FUNCTION handle_new_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS
        $$ BEGIN INSERT INTO public.profiles VALUES (NEW.id, 'made by the trigger'); RETURN NEW; END $$;
    CREATE TRIGGER on_auth_user_created AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION handle_new_user();";

const USERS: &str = "
    INSERT INTO auth.users (id, email, encrypted_password, email_confirmed_at)
        SELECT md5(i::text)::uuid, 'u' || i || '@example.com', 'hash-of-' || i, '2026-01-01' FROM generate_series(1, 3) i;
    INSERT INTO auth.identities (id, user_id, provider, identity_data)
        SELECT id, id, 'google', jsonb_build_object('email', email) FROM auth.users;
    INSERT INTO auth.sessions SELECT 1, md5('1')::uuid;
    UPDATE profiles SET name = 'own';";

/// A Supabase project without an app, seen as its owner, who owns nothing in `auth`.
async fn project() -> Source {
    let project = Source::new("").await;
    project.admin().await.batch_execute(AUTH).await.unwrap();
    project
}

async fn app() -> Source {
    let app = project().await;
    let owner = app.client().await;
    owner
        .batch_execute(&format!("{APP} {USERS}"))
        .await
        .unwrap();
    app
}

fn with_platform_rows() -> Selection {
    Selection {
        platform_rows: true,
        ..Selection::default()
    }
}

async fn back_up(source: &Source) -> Manifest {
    let change = |r: &mut rovodev::tasks::create::CreateRequest| {
        (r.selection, r.codec) = (with_platform_rows(), Codec::None);
    };
    Box::pin(source.back_up(change)).await.unwrap()
}

/// What a query tells, a line for each row.
async fn lines(client: &Client, sql: &str) -> Vec<String> {
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter().map(|r| r.get(0)).collect()
}

async fn users(client: &Client) -> Vec<String> {
    let sql =
        "SELECT email || ' ' || encrypted_password FROM auth.users ORDER BY email COLLATE \"C\"";
    lines(client, sql).await
}

async fn identities(client: &Client) -> Vec<String> {
    lines(client, "SELECT email FROM auth.identities ORDER BY 1").await
}

async fn profiles(client: &Client) -> Vec<String> {
    let sql = "SELECT coalesce(u.email, 'z') || ' ' || p.name FROM public.profiles p LEFT JOIN auth.users u USING (id) ORDER BY 1";
    lines(client, sql).await
}

const ALL_USERS: [&str; 3] = [
    "u1@example.com hash-of-1",
    "u2@example.com hash-of-2",
    "u3@example.com hash-of-3",
];
