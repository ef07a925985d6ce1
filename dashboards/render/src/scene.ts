/** A dashboard's JSON as a scene: variables, rows, panels with their queries and transformations. */

import {
  CustomVariable,
  EmbeddedScene,
  QueryVariable,
  SceneDataTransformer,
  SceneGridItem,
  SceneGridLayout,
  SceneGridRow,
  SceneQueryRunner,
  SceneTimeRange,
  SceneVariableSet,
  VariableValueSelectors,
  VizPanel,
} from '@grafana/scenes';

import type { Dashboard, Panel, Variable } from './dashboard';
import { SOURCE } from './prometheus';

const SMALLEST_INTERVAL = '1s';

export function sceneOf(dashboard: Dashboard, from: string, to: string, address: URLSearchParams): EmbeddedScene {
  return new EmbeddedScene({
    $timeRange: new SceneTimeRange({ from, to }),
    $variables: new SceneVariableSet({ variables: dashboard.templating.list.map((each) => variableOf(each, address)) }),
    controls: [new VariableValueSelectors({})],
    body: new SceneGridLayout({ isLazy: false, children: dashboard.panels.map(childOf) }),
  });
}

function variableOf(variable: Variable, address: URLSearchParams) {
  const { name, label } = variable;
  if (variable.type === 'datasource') {
    return new CustomVariable({ name, label, query: `Prometheus : ${SOURCE.uid}`, value: SOURCE.uid, text: 'Prometheus' });
  }
  const chosen = address.get(`var-${name}`) ?? (variable.includeAll ? '$__all' : '');
  return new QueryVariable({
    name,
    label,
    query: variable.query,
    datasource: SOURCE,
    isMulti: variable.multi,
    includeAll: variable.includeAll,
    allValue: variable.allValue,
    refresh: variable.refresh,
    value: variable.multi ? [chosen] : chosen,
    text: chosen === '$__all' ? 'All' : chosen,
  });
}

function childOf(panel: Panel) {
  const { x, y, w, h } = panel.gridPos;
  if (panel.type === 'row') {
    return new SceneGridRow({ key: `row-${panel.id}`, title: panel.title, y, children: [], isCollapsed: false });
  }
  return new SceneGridItem({ key: `item-${panel.id}`, x, y, width: w, height: h, body: panelOf(panel) });
}

function panelOf(panel: Panel): VizPanel {
  return new VizPanel({
    key: `panel-${panel.id}`,
    title: panel.title,
    description: panel.description,
    pluginId: panel.type,
    options: panel.options,
    fieldConfig: panel.fieldConfig,
    $data: new SceneDataTransformer({
      $data: new SceneQueryRunner({
        datasource: SOURCE,
        minInterval: SMALLEST_INTERVAL,
        queries: panel.targets.map((target) => ({ ...target, datasource: SOURCE })),
      }),
      transformations: panel.transformations ?? [],
    }),
  });
}
