/** bargauge, by Grafana's own component: one bar under another. */

import { type DisplayValue, getFieldDisplayValues, type PanelProps, type ReduceDataOptions, VizOrientation } from '@grafana/data';
import type { BarGaugeDisplayMode, BarGaugeNamePlacement } from '@grafana/schema';
import { BarGauge, useTheme2 } from '@grafana/ui';

import { useDrawn } from './drawn';
import { Empty, isEmpty } from './empty';

const TALLEST = 46;
const GAP = 6;

interface Options {
  readonly reduceOptions: ReduceDataOptions;
  readonly displayMode: BarGaugeDisplayMode;
  readonly namePlacement: BarGaugeNamePlacement;
}

export function BarGauges(props: PanelProps<Options>) {
  useDrawn(props);
  const { data, fieldConfig, options, width, height, replaceVariables, timeZone } = props;
  const theme = useTheme2();
  if (isEmpty(props)) {
    return <Empty {...props} />;
  }
  const values = getFieldDisplayValues({ fieldConfig, reduceOptions: options.reduceOptions, replaceVariables, theme, data: data.series, timeZone });
  const longest = Math.max(...values.map((each) => each.display.numeric));
  const alignment = widest(values.map((each) => each.display));
  return (
    <div>
      {values.map((each, index) => (
        <div key={index} style={{ marginBottom: GAP }}>
          <BarGauge
            value={each.display}
            field={{ ...each.field, min: 0, max: longest }}
            display={each.view?.getFieldDisplayProcessor(each.colIndex ?? 0)}
            alignmentFactors={alignment}
            orientation={VizOrientation.Horizontal}
            namePlacement={options.namePlacement}
            displayMode={options.displayMode}
            width={width}
            height={Math.min(TALLEST, height / values.length - GAP)}
            theme={theme}
            showUnfilled
          />
        </div>
      ))}
    </div>
  );
}

/** The longest texts, so that all bars begin and end at the same place. */
function widest(values: DisplayValue[]) {
  const longest = (texts: string[]) => texts.reduce((a, b) => (b.length > a.length ? b : a), '');
  return {
    title: longest(values.map((value) => value.title ?? '')),
    text: longest(values.map((value) => `${value.prefix ?? ''}${value.text}${value.suffix ?? ''}`)),
  };
}
