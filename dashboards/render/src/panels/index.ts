/** The kinds of panels: Grafana's own components where its libraries have them, else drawn here. */

import { type ComponentType } from 'react';

import { type PanelProps, PanelPlugin } from '@grafana/data';
import { sceneUtils } from '@grafana/scenes';

import { BarGauges } from './bargauge';
import { Heatmap } from './heatmap';
import { Numbers } from './number';
import { Series } from './series';
import { Rows } from './table';
import { Timeline } from './timeline';

/** What a field may say beside the standard options, and what it means if it does not. */
const OF_SERIES = {
  axisPlacement: 'auto',
  axisSoftMin: undefined,
  barAlignment: 0,
  drawStyle: 'line',
  fillOpacity: 0,
  gradientMode: 'none',
  hideFrom: { tooltip: false, viz: false, legend: false },
  lineInterpolation: 'linear',
  lineStyle: undefined,
  lineWidth: 1,
  pointSize: 5,
  scaleDistribution: { type: 'linear' },
  showPoints: 'auto',
  spanNulls: false,
  stacking: { mode: 'none', group: 'A' },
  thresholdsStyle: { mode: 'off' },
};
const OF_TABLE = { align: 'auto', cellOptions: { type: 'auto' }, filterable: false, minWidth: 50, width: undefined };

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each kind has its own options
type Panel = ComponentType<PanelProps<any>>;

export function registerPanels() {
  register('bargauge', BarGauges, {});
  register('heatmap', Heatmap, {});
  register('stat', Numbers, {});
  register('state-timeline', Timeline, OF_SERIES);
  register('table', Rows, OF_TABLE);
  register('timeseries', Series, OF_SERIES);
}

function register(pluginId: string, panel: Panel, custom: Record<string, unknown>) {
  const plugin = new PanelPlugin(panel).useFieldConfig({
    useCustomConfig: (builder) => {
      for (const [path, defaultValue] of Object.entries(custom)) {
        const identity = (value: unknown) => value;
        const options = { editor: () => null, override: () => null, process: identity, shouldApply: () => true };
        builder.addCustomEditor({ id: path, path, name: path, defaultValue, settings: {}, ...options });
      }
    },
  });
  sceneUtils.registerRuntimePanelPlugin({ pluginId, plugin });
}
