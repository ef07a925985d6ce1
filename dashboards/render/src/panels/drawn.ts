/** Tells the report that a panel has been drawn with all its data. */

import { useEffect } from 'react';

import { LoadingState, type PanelProps } from '@grafana/data';

import { report } from '../report';

export function useDrawn({ data, title }: PanelProps) {
  useEffect(() => {
    if (data.state === LoadingState.Done) {
      report.draw(title);
    }
  }, [data, title]);
}
