import { announce, byId, setText } from './page/elements.js';
import { Live } from './page/live.js';
import { Store } from './page/store.js';
import { showFlow } from './page/flow.js';
import { showMails } from './page/mails.js';
import { OrderView } from './page/order.js';
import { showOrders } from './page/orders.js';
import { showPlacing } from './page/place.js';
import { showStock } from './page/stock.js';
import { showReplay, showTotals } from './page/totals.js';

const connectionWords = {
  connecting: 'Connecting',
  live: 'Live',
  reconnecting: 'Reconnecting',
  asleep: 'Asleep',
};

const store = new Store();
const orderView = new OrderView(store);

showConnection();
showThemeToggle();
showTotals(store);
showReplay(store);
showFlow(store);
showMails(store);
showOrders(store);
showStock(store);
showPlacing(store);
orderView.start();

new Live('/api/live', {
  snapshot: (data, read) => store.takeSnapshot(read(data)),
  stats: (data, read) => {
    store.stats = read(data);
    store.touch('stats');
  },
  order: (data, read) => {
    const order = read(data);
    store.takeOrder(order);
    orderView.takeChange(order.orderId);
  },
  timeline: (data, read) => {
    if (orderView.concerns(data)) {
      const { orderId, ...event } = read(data);
      orderView.takeEvent(orderId, event);
    }
  },
  stock: (data, read) => store.takeLevel(read(data)),
  mail: (data, read) => store.takeMail(read(data)),
}, state => {
  store.connection = state;
  store.touch('connection');
}).start();

function showConnection() {
  let before = 'connecting';
  store.on('connection', () => {
    const pill = byId('connection');
    pill.dataset.state = store.connection;
    setText(byId('connection-word'), connectionWords[store.connection]);
    document.body.dataset.connection = store.connection;
    byId('stale').hidden = store.connection !== 'reconnecting';
    if (store.connection !== before && store.connection !== 'connecting') {
      announce(store.connection === 'live' ? 'Connected to the Shop.' : 'Connection lost, reconnecting.');
    }
    before = store.connection;
  });
}

function showThemeToggle() {
  const button = byId('theme');
  const draw = () => button.setAttribute('aria-pressed', document.documentElement.dataset.theme === 'dark');
  button.addEventListener('click', () => document.dispatchEvent(new Event('theme-toggle')));
  document.addEventListener('theme', draw);
  draw();
}
