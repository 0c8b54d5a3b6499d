//! From a snapshot to the tree that this server serves.

use super::super::config::Config;
use super::super::engine::Tree;
use super::super::error::StopError;
use crate::clock::wall;
use bytes::Bytes;
use consensus::{RestoreError, StateMachine};
use std::sync::Arc;
use storage::Disk;
use storage::zookeeper::SnapshotReader;
use znodes::Settings;

/// Makes trees that behave as this server's are to.
#[derive(Clone, Debug)]
pub(crate) struct Restorer {
    settings: Arc<Settings>,
    /// What `/zookeeper/config` says. `None`: this server stands alone, and says nothing there.
    configuration: Option<Arc<str>>,
}

impl Restorer {
    pub(crate) fn new(config: &Config, settings: Settings) -> Restorer {
        let configuration = (!config.is_standalone()).then(|| config.ensemble.to_string().into());
        Restorer { settings: Arc::new(settings), configuration }
    }

    /// The tree of a server without any data.
    pub(crate) fn empty(&self) -> Tree {
        self.settle(Tree::new(Settings::clone(&self.settings)))
    }

    /// What the first snapshot of a new server holds.
    pub(crate) fn first_snapshot(&self) -> Vec<Bytes> {
        let mut tree = Tree::new(Settings::clone(&self.settings));
        let mut cursor = tree.begin_snapshot();
        let chunks = std::iter::from_fn(|| tree.snapshot_chunk(&mut cursor, 1 << 20)).collect();
        tree.end_snapshot(cursor);
        chunks
    }

    /// The tree that these pieces of a snapshot make.
    pub(crate) fn tree(&self, chunks: &mut dyn Iterator<Item = Bytes>) -> Result<Tree, RestoreError> {
        Tree::restore_with(Settings::clone(&self.settings), chunks).map(|tree| self.settle(tree))
    }

    /// The tree that a snapshot holds.
    pub(crate) fn read<D: Disk>(&self, mut reader: SnapshotReader<D>) -> Result<Tree, StopError> {
        let mut failed = None;
        let mut chunks = std::iter::from_fn(|| {
            reader.next_chunk().unwrap_or_else(|error| {
                failed = Some(error);
                None
            })
        });
        let tree = self.tree(&mut chunks);
        // What the checksums say comes first: a tree made of wrong bytes is none, and its complaint is beside the point.
        chunks.by_ref().for_each(drop);
        match failed {
            Some(error) => Err(StopError::Data(error.to_string())),
            None => tree.map_err(|error| StopError::Data(error.to_string())),
        }
    }

    /// Each server says by itself, in no transaction, how its ensemble is configured.
    fn settle(&self, mut tree: Tree) -> Tree {
        if let Some(configuration) = &self.configuration {
            let millis = i64::try_from(wall().0.as_millis()).unwrap_or(i64::MAX);
            tree.set_configuration(configuration.as_bytes(), 0, millis);
        }
        tree
    }
}
