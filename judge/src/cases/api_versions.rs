//! ApiVersions (18).

use serde_json::json;

use crate::run::{Case, ask, case};

pub(super) fn cases() -> Vec<Case> {
    let named = |name: &str, version: &str| json!({ "ClientSoftwareName?": name, "ClientSoftwareVersion?": version });
    vec![
        ask("what there is", named("judge", "1.0")),
        ask(
            "no name",
            json!({ "ClientSoftwareName": "", "ClientSoftwareVersion": "1.0" }),
        ),
        ask(
            "no version",
            json!({ "ClientSoftwareName": "judge", "ClientSoftwareVersion": "" }),
        ),
        ask(
            "a name with a space",
            json!({ "ClientSoftwareName": "the judge", "ClientSoftwareVersion": "1" }),
        ),
        ask(
            "a name that ends in a dash",
            json!({ "ClientSoftwareName": "judge-", "ClientSoftwareVersion": "1" }),
        ),
        ask(
            "a name of dots and dashes",
            json!({ "ClientSoftwareName": "a.b-c", "ClientSoftwareVersion": "1-2.3" }),
        ),
        case("a version from the future", |run| {
            for version in [5, 6, 99, i16::MAX] {
                let request = [2, b'j', 2, b'1', 0];
                let (ours, theirs) = run
                    .both()
                    .each(|_, client| Ok(client.ask_body("ApiVersions", version, &request)?))?;
                run.judge(
                    "ApiVersions",
                    crate::both::Answers {
                        ours: ours.into_value(),
                        theirs: theirs.into_value(),
                    },
                );
            }
            Ok(())
        })
        .versions(4..=4),
        case("a body that is cut", |run| run.ask_body(&[5, b'j']).map(drop)).versions(3..=4),
    ]
}
