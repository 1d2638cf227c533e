//! Sets `apache_kafka` and `moto` where they can be started, so that tests that need them count as ignored, and say what is
//! missing, where they cannot.

#[path = "../judge/src/found.rs"]
mod found;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(apache_kafka, moto)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../judge/src/found.rs");
    for variable in ["TICKERTAPE_KAFKA_LIBS", "TICKERTAPE_PYTHON", "JAVA_HOME", "PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if let Some(libs) = found::libs_dir() {
        println!("cargo::rerun-if-changed={}", libs.display());
    }
    if found::find().is_ok() {
        println!("cargo::rustc-cfg=apache_kafka");
    }
    if std::env::var_os("TICKERTAPE_PYTHON").is_some() {
        println!("cargo::rustc-cfg=moto");
    }
}
