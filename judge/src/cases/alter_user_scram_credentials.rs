//! AlterUserScramCredentials (51): what is answered, and what DescribeUserScramCredentials has to say afterwards.

use serde_json::{Value, json};

use crate::run::{Case, Outcome, Run, case};

const SHA_256: i8 = 1;
const SHA_512: i8 = 2;

fn deletion(user: &str, mechanism: i8) -> Value {
    json!({ "Name": user, "Mechanism": mechanism })
}

/// A credential as a client makes it: of the salted password, never of the password.
fn upsertion(user: &str, mechanism: i8, iterations: i32) -> Value {
    let salted = if mechanism == SHA_512 { "5a" } else { "a5" };
    json!({
        "Name": user, "Mechanism": mechanism, "Iterations": iterations, "Salt": "73616c74",
        "SaltedPassword": salted.repeat(if mechanism == SHA_512 { 64 } else { 32 }),
    })
}

/// Asks for both, and what is there then.
fn alter(run: &mut Run<'_>, users: &[&str], deletions: &[Value], upsertions: &[Value]) -> Outcome {
    run.ask(json!({ "Deletions": deletions, "Upsertions": upsertions }))?;
    seen(run, users)
}

fn seen(run: &mut Run<'_>, users: &[&str]) -> Outcome {
    let users: Vec<Value> = users.iter().map(|user| json!({ "Name": user })).collect();
    run.soon("DescribeUserScramCredentials", 0, &json!({ "Users": users }))
        .map(drop)
}

/// A user of a name of its own, with both credentials.
fn user(run: &mut Run<'_>) -> Result<String, crate::run::Stop> {
    let name = run.name("user");
    let upsertions = [upsertion(&name, SHA_256, 4096), upsertion(&name, SHA_512, 8192)];
    for upsertion in upsertions {
        run.must("AlterUserScramCredentials", json!({ "Upsertions": [upsertion] }))?;
    }
    Ok(name)
}

/// One upsertion for a new user.
fn upsert(name: &'static str, mechanism: i8, iterations: i32) -> Case {
    case(name, move |run| {
        let user = run.name("user");
        alter(run, &[&user], &[], &[upsertion(&user, mechanism, iterations)])
    })
}

/// One upsertion in which something is changed.
fn upsert_with(name: &'static str, field: &'static str, value: Value) -> Case {
    case(name, move |run| {
        let user = run.name("user");
        let mut upsertion = upsertion(&user, SHA_256, 4096);
        upsertion[field] = value.clone();
        alter(run, &[&user], &[], &[upsertion])
    })
}

fn set() -> Vec<Case> {
    vec![
        case("nothing", |run| alter(run, &["nobody"], &[], &[])),
        upsert("a credential for SHA-256", SHA_256, 4096),
        upsert("a credential for SHA-512", SHA_512, 4096),
        upsert("as many iterations as there may be", SHA_256, 16_384),
        upsert("an iteration too few", SHA_256, 4095),
        upsert("an iteration too many", SHA_512, 16_385),
        upsert("no iterations", SHA_256, 0),
        upsert("iterations below zero", SHA_256, -1),
        upsert("the mechanism of no number", 0, 4096),
        upsert("a mechanism that there is not", 3, 4096),
        upsert("a mechanism below zero", -1, 4096),
        upsert("a mechanism that there is not, and too few iterations", 3, 1),
        upsert_with("no salt", "Salt", "".into()),
        upsert_with("a long salt", "Salt", "00".repeat(1000).into()),
        upsert_with("no salted password", "SaltedPassword", "".into()),
        upsert_with("a short salted password", "SaltedPassword", "01".into()),
        upsert_with("a long salted password", "SaltedPassword", "ff".repeat(300).into()),
        upsert_with("a user without a name", "Name", "".into()),
        case("a user without a name, of a mechanism that there is not", |run| {
            run.ask(json!({ "Upsertions": [upsertion("", 9, 1)] })).map(drop)
        }),
        case("names of other alphabets", |run| {
            let users = [run.name("ünï"), run.name("鍵"), run.name("a b/c=d,e")];
            let upsertions: Vec<Value> = users.iter().map(|user| upsertion(user, SHA_512, 5000)).collect();
            let users: Vec<&str> = users.iter().map(String::as_str).collect();
            alter(run, &users, &[], &upsertions)
        }),
        case("a credential in place of another", |run| {
            let user = user(run)?;
            alter(run, &[&user], &[], &[upsertion(&user, SHA_256, 9999)])
        }),
        case("one user right and one wrong", |run| {
            let (a, b) = (run.name("user"), run.name("user"));
            let upsertions = [upsertion(&a, SHA_256, 1), upsertion(&b, SHA_256, 4096)];
            alter(run, &[&a, &b], &[], &upsertions)
        }),
    ]
}

fn removed() -> Vec<Case> {
    vec![
        case("a credential is removed", |run| {
            let user = user(run)?;
            alter(run, &[&user], &[deletion(&user, SHA_256)], &[])
        }),
        case("both credentials are removed", |run| {
            let user = user(run)?;
            for mechanism in [SHA_256, SHA_512] {
                alter(run, &[&user], &[deletion(&user, mechanism)], &[])?;
            }
            alter(run, &[&user], &[deletion(&user, SHA_512)], &[])
        }),
        case("a credential that is not there is removed", |run| {
            let user = run.name("user");
            alter(run, &[&user], &[deletion(&user, SHA_256)], &[])?;
            run.must(
                "AlterUserScramCredentials",
                json!({ "Upsertions": [upsertion(&user, SHA_512, 4096)] }),
            )?;
            alter(run, &[&user], &[deletion(&user, SHA_256)], &[])
        }),
        case("a credential of no mechanism is removed", |run| {
            let user = user(run)?;
            for mechanism in [0, 3, -1] {
                alter(run, &[&user], &[deletion(&user, mechanism)], &[])?;
            }
            Ok(())
        }),
        case("a credential of nobody is removed", |run| {
            run.ask(json!({ "Deletions": [deletion("", SHA_256)] }))?;
            run.ask(json!({ "Deletions": [deletion("", 7)] })).map(drop)
        }),
    ]
}

fn twice() -> Vec<Case> {
    vec![
        case("a user twice, of one mechanism", |run| {
            let user = run.name("user");
            let upsertions = [upsertion(&user, SHA_256, 4096), upsertion(&user, SHA_256, 4097)];
            alter(run, &[&user], &[], &upsertions)
        }),
        case("a user twice, of both mechanisms", |run| {
            let user = run.name("user");
            let upsertions = [upsertion(&user, SHA_256, 4096), upsertion(&user, SHA_512, 4096)];
            alter(run, &[&user], &[], &upsertions)
        }),
        case("a user three times", |run| {
            let user = run.name("user");
            let upsertion = upsertion(&user, SHA_256, 4096);
            alter(run, &[&user], &[], &[upsertion.clone(), upsertion.clone(), upsertion])
        }),
        case("a user in error and again", |run| {
            let user = run.name("user");
            let upsertions = [upsertion(&user, SHA_256, 1), upsertion(&user, SHA_256, 4096)];
            alter(run, &[&user], &[], &upsertions)
        }),
        case("a user, and again in error", |run| {
            let user = run.name("user");
            let upsertions = [upsertion(&user, SHA_256, 4096), upsertion(&user, 7, 1)];
            alter(run, &[&user], &[], &upsertions)
        }),
        case("a user without a salted password twice", |run| {
            let user = run.name("user");
            let mut upsertion = upsertion(&user, SHA_256, 4096);
            upsertion["SaltedPassword"] = "".into();
            alter(run, &[&user], &[], &[upsertion.clone(), upsertion])
        }),
        case("a user removed and set", |run| {
            let user = user(run)?;
            let deletions = [deletion(&user, SHA_256)];
            alter(run, &[&user], &deletions, &[upsertion(&user, SHA_512, 5000)])
        }),
        case("a user removed twice", |run| {
            let user = user(run)?;
            let deletions = [deletion(&user, SHA_256), deletion(&user, SHA_512)];
            alter(run, &[&user], &deletions, &[])
        }),
        case("a user that is not there removed and set", |run| {
            let user = run.name("user");
            let deletions = [deletion(&user, SHA_256)];
            alter(run, &[&user], &deletions, &[upsertion(&user, SHA_256, 5000)])
        }),
        case("one user twice, another once, a third removed", |run| {
            let (a, b, c) = (run.name("user"), run.name("user"), user(run)?);
            let upsertions = [
                upsertion(&a, SHA_256, 4096),
                upsertion(&b, SHA_512, 4096),
                upsertion(&a, SHA_512, 4096),
            ];
            alter(run, &[&a, &b, &c], &[deletion(&c, SHA_512)], &upsertions)
        }),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [set(), removed(), twice()].into_iter().flatten().collect()
}
