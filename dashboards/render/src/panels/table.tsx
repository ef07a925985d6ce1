/** table, by Grafana's own component. */

import { getFieldDisplayName, type PanelProps } from '@grafana/data';
import type { TableSortByFieldState } from '@grafana/schema';
import { TableCellHeight } from '@grafana/schema';
import { TableNG } from '@grafana/ui/unstable';

import { useDrawn } from './drawn';
import { Empty, isEmpty } from './empty';

export function Rows(props: PanelProps<{ sortBy?: TableSortByFieldState[] }>) {
  useDrawn(props);
  const { data, width, height, fieldConfig, options } = props;
  const [frame] = data.series;
  if (isEmpty(props) || frame === undefined) {
    return <Empty {...props} />;
  }
  for (const field of frame.fields) {
    // TableNG reads the names of columns from where this leaves them.
    getFieldDisplayName(field, frame);
  }
  return (
    <TableNG
      data={frame}
      width={width}
      height={height}
      fieldConfig={fieldConfig}
      sortBy={options.sortBy}
      cellHeight={TableCellHeight.Sm}
      enableVirtualization={false}
      structureRev={data.structureRev}
    />
  );
}
