//! Sets `apache_kafka` where Apache Kafka can be started, so that tests that need it count as ignored, and say what is
//! missing, where it cannot.

#[path = "src/found.rs"]
mod found;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(apache_kafka)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/found.rs");
    for variable in ["TICKERTAPE_KAFKA_LIBS", "JAVA_HOME", "PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if let Some(libs) = found::libs_dir() {
        println!("cargo::rerun-if-changed={}", libs.display());
    }
    if found::find().is_ok() {
        println!("cargo::rustc-cfg=apache_kafka");
    }
}
