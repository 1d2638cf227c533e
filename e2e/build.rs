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
    match found::find() {
        Ok(_) => println!("cargo::rustc-cfg=apache_kafka"),
        Err(missing) => println!("cargo::warning=Apache Kafka is not asked: {missing}"),
    }
    match std::env::var_os("TICKERTAPE_PYTHON") {
        Some(_) => println!("cargo::rustc-cfg=moto"),
        None => println!(
            "cargo::warning=AWS as moto plays it is not asked: TICKERTAPE_PYTHON names no Python with moto[server]"
        ),
    }
}
