//! Where the demo keeps everything, and what a person can try there next.

use std::path::PathBuf;

/// The addresses and directories of one run.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) data_dir: PathBuf,
    pub(super) bootstrap_servers: String,
    pub(super) s3_endpoint: String,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    /// `s3://bucket/prefix`.
    pub(super) lake: String,
}

impl Places {
    /// The parting words: where everything was, and three commands to try.
    pub(super) fn parting_words(&self) -> String {
        let data_dir = self.data_dir.display();
        format!(
            "\nWhere everything was:\n\
             \x20 Kafka     {}\n\
             \x20 S3        {}  (access key {}, secret key {}), lake {}\n\
             \x20 on disk   {data_dir}\n\
             \nTo try:\n\
             \x20 tickertape sql --data-dir {data_dir} \"SELECT symbol, count(*) AS trades FROM ticks GROUP BY symbol\"\n\
             \x20 tickertape broker --data-dir {data_dir}/broker     and then: tickertape cat -C -t bars -o -5 -e\n\
             \x20 tickertape demo --data-dir {data_dir}              goes on where this run stopped",
            self.bootstrap_servers, self.s3_endpoint, self.access_key_id, self.secret_access_key, self.lake,
        )
    }
}
