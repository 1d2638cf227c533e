//! Both brokers start, and the codec speaks every version of what both announce.

use serde_json::json;
use tickertape_judge::apache::ApacheKafka;
use tickertape_judge::both::{Both, Side};
use tickertape_judge::client::{Answer, Client};

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn both_serve_and_name_their_versions() {
    let mut both = Both::shared().unwrap();
    for side in [Side::Ours, Side::Theirs] {
        let client = both.client(side);
        for version in 0..=4 {
            let request = json!({ "ClientSoftwareName?": "judge", "ClientSoftwareVersion?": "1" });
            let answer = client
                .ask("ApiVersions", version, &request)
                .map_err(anyhow::Error::from)
                .unwrap();
            let Answer::Message(answer) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!(answer["ErrorCode"], 0, "{side:?} {version}: {answer}");
            assert!(answer["ApiKeys"].as_array().unwrap().len() >= 30);
        }
    }
}

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn a_start_that_fails_says_why_and_a_stop_leaves_nothing() {
    let error = ApacheKafka::builder()
        .property("num.network.threads", "none")
        .start()
        .unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains("num.network.threads"), "{said}");
    let kept = said.split("kept at ").nth(1).unwrap().lines().next().unwrap();
    std::fs::remove_dir_all(kept).unwrap();

    let kafka = ApacheKafka::builder().listener("OTHER", "PLAINTEXT").start().unwrap();
    let dir = kafka.dir().to_owned();
    Client::connect(kafka.listener("OTHER").unwrap()).unwrap();
    assert!(dir.join("kafka.log").is_file());
    drop(kafka);
    assert!(!dir.exists());
}
