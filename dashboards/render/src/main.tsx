/** The page: draws one dashboard, of which the address says which, from which Prometheus, and how. */

import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router-dom';

import { ThemeContext } from '@grafana/data';
import { GlobalStyles, PortalContainer } from '@grafana/ui';

import type { Dashboard } from './dashboard';
import { prepare } from './host';
import { registerPanels } from './panels';
import { registerPrometheus } from './prometheus';
import { report } from './report';
import { sceneOf } from './scene';

/** `?dashboard=FILE&prometheus=URL&theme=dark&from=...&to=...&scrape=SECONDS&var-NAME=VALUE`. */
async function main() {
  const address = new URLSearchParams(location.search);
  const asked = (name: string, otherwise: string) => address.get(name) ?? otherwise;

  const theme = await prepare(asked('theme', 'dark') === 'light' ? 'light' : 'dark');
  document.body.style.background = theme.colors.background.canvas;
  document.body.style.color = theme.colors.text.primary;
  registerPanels();
  registerPrometheus(asked('prometheus', ''), Number(asked('scrape', '1')));

  const dashboard: Dashboard = await (await fetch(asked('dashboard', ''))).json();
  const scene = sceneOf(dashboard, time(asked('from', dashboard.time.from)), time(asked('to', dashboard.time.to)), address);
  report.expect(dashboard);
  scene.activate();
  createRoot(document.getElementById('root')!).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <BrowserRouter>
        <scene.Component model={scene} />
      </BrowserRouter>
      <PortalContainer />
    </ThemeContext.Provider>
  );
}

/** Milliseconds since 1970, or words like `now-1h`. */
function time(text: string): string {
  return /^\d+$/.test(text) ? new Date(Number(text)).toISOString() : text;
}

report.listen();
main().catch((error: unknown) => report.fail(error));
