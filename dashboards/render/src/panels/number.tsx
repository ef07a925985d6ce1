/** stat, by Grafana's own component. */

import { getFieldDisplayValues, type PanelProps, type ReduceDataOptions } from '@grafana/data';
import { BigValue, type BigValueColorMode, type BigValueGraphMode, type BigValueTextMode, useTheme2 } from '@grafana/ui';

import { useDrawn } from './drawn';

interface Options {
  readonly reduceOptions: ReduceDataOptions;
  readonly colorMode: BigValueColorMode;
  readonly graphMode: BigValueGraphMode;
  readonly textMode: BigValueTextMode;
}

export function Numbers(props: PanelProps<Options>) {
  useDrawn(props);
  const { data, fieldConfig, options, width, height, replaceVariables, timeZone } = props;
  const theme = useTheme2();
  const values = getFieldDisplayValues({
    fieldConfig,
    reduceOptions: options.reduceOptions,
    replaceVariables,
    theme,
    data: data.series,
    timeZone,
  });
  return (
    <div style={{ display: 'flex' }}>
      {values.map((value, index) => (
        <BigValue
          key={index}
          value={value.display}
          width={width / values.length}
          height={height}
          theme={theme}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          textMode={options.textMode}
        />
      ))}
    </div>
  );
}
