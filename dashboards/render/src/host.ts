/** Stands for the Grafana around its libraries: theme, registries, and how a query is run. */

import {
  createTheme,
  dataLinksOverrideProcessor,
  displayNameOverrideProcessor,
  EventBusSrv,
  type FieldConfigPropertyItem,
  type GrafanaTheme2,
  identityOverrideProcessor,
  LoadingState,
  numberOverrideProcessor,
  type PanelData,
  standardEditorsRegistry,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  stringOverrideProcessor,
  thresholdsOverrideProcessor,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { config, setAppEvents, setPluginImportUtils, setRunRequest } from '@grafana/runtime';
import { map, Observable } from 'rxjs';

const nothing = () => null;

/** Everything that must be there before a scene is made; gives the theme. */
export async function prepare(mode: 'dark' | 'light'): Promise<GrafanaTheme2> {
  await initPluginTranslations('odp-dashboards-render');
  const theme = createTheme({ colors: { mode } });
  config.theme2 = theme;
  config.bootData.user.lightTheme = mode === 'light';
  setAppEvents(new EventBusSrv());
  prepareFields();
  prepareTransformations();
  setPluginImportUtils({
    importPanelPlugin: (id: string) => Promise.reject(new Error(`there is no panel of the kind ${id}`)),
    getPanelPluginFromCache: () => undefined,
  } as unknown as Parameters<typeof setPluginImportUtils>[0]);
  setRunRequest(run);
  return theme;
}

/** Without these, units, thresholds and mappings silently do nothing. */
function prepareFields() {
  const ids = ['number', 'slider', 'text', 'boolean', 'select', 'unit', 'color', 'stats-picker', 'field-name', 'links'];
  const more = ['radio', 'timezone', 'strings', 'mappings', 'thresholds', 'multi-select', 'dashboard-uid', 'fieldColor', 'actions'];
  standardEditorsRegistry.setInit(() => [...ids, ...more].map((id) => ({ id, name: id, editor: nothing })));
  standardFieldConfigEditorRegistry.setInit(() => [
    property('unit', unitOverrideProcessor),
    property('min', numberOverrideProcessor),
    property('max', numberOverrideProcessor),
    property('decimals', numberOverrideProcessor),
    property('displayName', displayNameOverrideProcessor),
    property('color', identityOverrideProcessor),
    property('noValue', stringOverrideProcessor),
    property('links', dataLinksOverrideProcessor),
    property('mappings', valueMappingsOverrideProcessor),
    property('thresholds', thresholdsOverrideProcessor),
  ]);
}

function property(id: string, process: unknown): FieldConfigPropertyItem {
  const item = { id, path: id, name: id, editor: nothing, override: nothing, process, shouldApply: () => true, settings: {} };
  return item as unknown as FieldConfigPropertyItem;
}

function prepareTransformations() {
  const used = [
    standardTransformers.joinByFieldTransformer,
    standardTransformers.filterFieldsByNameTransformer,
    standardTransformers.organizeFieldsTransformer,
  ];
  standardTransformersRegistry.setInit(() =>
    used.map((info) => ({
      id: info.id,
      name: info.name,
      transformation: () => Promise.resolve(info),
      editor: nothing,
      imageDark: '',
      imageLight: '',
    }))
  );
}

const run: Parameters<typeof setRunRequest>[0] = (source, request) => {
  const answers = source.query(request) as Observable<{ data: PanelData['series'] }>;
  return answers.pipe(
    map((answer) => ({ state: LoadingState.Done, series: answer.data, timeRange: request.range, request, structureRev: 1 }))
  );
};
