//! Reads a Parquet file's columns as its table's: by name in any case, since the catalog keeps names in
//! lower case; a missing column is null and another type is cast, which DataFusion's own adapter does.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};

use super::footers::file_column;

/// Makes an adapter per file.
#[derive(Debug)]
pub(super) struct AnyCaseAdapterFactory;

impl PhysicalExprAdapterFactory for AnyCaseAdapterFactory {
    fn create(&self, table: SchemaRef, file: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let mut renamed: Vec<_> = file.fields().iter().cloned().collect();
        let mut differs = false;
        for field in table.fields() {
            if let Some(at) = file_column(&file, field.name())
                && file.field(at).name() != field.name()
            {
                differs = true;
                renamed[at] = Arc::new(file.field(at).clone().with_name(field.name()));
            }
        }
        if !differs {
            return DefaultPhysicalExprAdapterFactory.create(table, file);
        }
        let as_table_names = Arc::new(Schema::new(renamed));
        Ok(Arc::new(AnyCaseAdapter {
            inner: DefaultPhysicalExprAdapterFactory.create(table, as_table_names)?,
            file,
        }))
    }
}

#[derive(Debug)]
struct AnyCaseAdapter {
    inner: Arc<dyn PhysicalExprAdapter>,
    file: SchemaRef,
}

impl PhysicalExprAdapter for AnyCaseAdapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        // The reader finds columns by the names that the file itself uses.
        let own_name = |expr: Arc<dyn PhysicalExpr>| match expr.downcast_ref::<Column>() {
            Some(column) if column.index() < self.file.fields().len() => {
                let name = self.file.field(column.index()).name();
                let column = Column::new(name, column.index());
                Ok(Transformed::yes(Arc::new(column) as Arc<dyn PhysicalExpr>))
            }
            _ => Ok(Transformed::no(expr)),
        };
        self.inner.rewrite(expr)?.transform(own_name).data()
    }
}
