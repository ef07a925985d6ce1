/** What a panel says that has nothing to show. */

import type { PanelProps } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';

export function isEmpty({ data }: PanelProps): boolean {
  return data.series.every((frame) => frame.length === 0);
}

export function Empty({ fieldConfig, height }: PanelProps) {
  const theme = useTheme2();
  const style = { height, display: 'grid', placeItems: 'center', color: theme.colors.text.secondary };
  return <div style={style}>{fieldConfig.defaults.noValue ?? 'No data'}</div>;
}
