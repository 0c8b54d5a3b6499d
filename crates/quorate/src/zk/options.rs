//! The command line of `quorate zk`.

use clap::{Args, Subcommand};
use std::time::Duration;

/// How to reach the servers, and how to print.
#[derive(Args, Clone, Debug)]
pub(crate) struct Reach {
    /// Servers to ask, apart by commas [default: those of a running `quorate dev --zookeeper`, else 127.0.0.1:2181]
    #[arg(long, value_delimiter = ',', global = true)]
    pub(crate) servers: Vec<String>,
    /// Be somebody: "user:password", for nodes that ask for it
    #[arg(long, value_name = "USER:PASSWORD", global = true)]
    pub(crate) digest: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How long to try, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "8", value_parser = crate::cli::seconds, global = true)]
    pub(crate) timeout: Duration,
}

/// What to do.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Action {
    /// List the names of a node's children
    Ls {
        /// The node
        #[arg(default_value = "/", value_parser = path)]
        path: String,
        /// All nodes below it, with their paths
        #[arg(short = 'R', long)]
        recursive: bool,
    },
    /// Read a node's data
    Get {
        /// The node
        #[arg(value_parser = path)]
        path: String,
    },
    /// Create a node and print its path
    Create(Create),
    /// Write a node's data
    Set {
        /// The node
        #[arg(value_parser = path)]
        path: String,
        /// Its data; read from standard input if absent
        data: Option<String>,
        /// Only if the data has this version
        #[arg(long, default_value_t = -1, hide_default_value = true, allow_negative_numbers = true)]
        version: i32,
    },
    /// Delete a node
    Rm {
        /// The node
        #[arg(value_parser = path)]
        path: String,
        /// And all below it
        #[arg(short, long, conflicts_with = "version")]
        recursive: bool,
        /// Only if the data has this version
        #[arg(long, default_value_t = -1, hide_default_value = true, allow_negative_numbers = true)]
        version: i32,
    },
    /// Print what is known of a node beside its data
    Stat {
        /// The node
        #[arg(value_parser = path)]
        path: String,
    },
    /// Print what happens to a node and its children, until it is stopped
    Watch {
        /// The node, which need not be there yet
        #[arg(value_parser = path)]
        path: String,
        /// And to all below it
        #[arg(short, long)]
        recursive: bool,
    },
    /// How each server is
    Status,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Create {
    /// The node
    #[arg(value_parser = path)]
    pub(crate) path: String,
    /// Its data
    pub(crate) data: Option<String>,
    /// Append a counter to its name
    #[arg(short, long, conflicts_with = "container")]
    pub(crate) sequential: bool,
    /// Delete it when its last child is
    #[arg(short, long)]
    pub(crate) container: bool,
    /// Delete it when it has no children and was not changed for so many milliseconds
    #[arg(short, long, value_name = "MILLISECONDS", conflicts_with = "container")]
    pub(crate) ttl: Option<i64>,
    /// Create the nodes above it, too
    #[arg(short, long)]
    pub(crate) parents: bool,
}

/// A path as ZooKeeper takes it, or what it should have been.
fn path(text: &str) -> Result<String, String> {
    if text == "/" {
        return Ok(text.to_owned());
    }
    let right = format!("/{}", text.trim_matches('/'));
    match text {
        _ if text == right => Ok(right),
        "" => Err("a path begins with /, the root".to_owned()),
        _ if !text.starts_with('/') => Err(format!("a path begins with /; is it meant to be {right}?")),
        _ => Err(format!("a path does not end with /; is it meant to be {right}?")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_path_is_told_what_would_be_right() {
        for good in ["/", "/a", "/a/b"] {
            assert_eq!(path(good).as_deref(), Ok(good));
        }
        for (wrong, right) in [("a", "/a"), ("a/b/", "/a/b"), ("/a/", "/a")] {
            assert!(path(wrong).is_err_and(|why| why.ends_with(&format!("is it meant to be {right}?"))), "{wrong}");
        }
        assert!(path("").is_err());
    }
}
