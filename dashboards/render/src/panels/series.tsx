/** timeseries, by Grafana's own component. */

import type { PanelProps } from '@grafana/data';
import type { VizLegendOptions } from '@grafana/schema';
import { TimeSeries } from '@grafana/ui';

import { useDrawn } from './drawn';
import { Empty, isEmpty } from './empty';

export function Series(props: PanelProps<{ legend: VizLegendOptions }>) {
  useDrawn(props);
  const { data, timeRange, timeZone, width, height, options } = props;
  if (isEmpty(props)) {
    return <Empty {...props} />;
  }
  return (
    <TimeSeries
      frames={data.series}
      structureRev={data.structureRev}
      timeRange={timeRange}
      timeZone={timeZone}
      width={width}
      height={height}
      legend={options.legend}
      options={options}
    />
  );
}
