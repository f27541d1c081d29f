import { age, byId, html, orderHash } from './elements.js';

const shownMax = 12;

/** The notification service's pushes: one line per confirmed order's mail, newest first. */
export function showMails(store) {
  const list = byId('mails');
  const draw = () => {
    if (store.mails.size === 0) {
      list.replaceChildren(html('li', { class: 'empty' }, 'Mails appear here as the notification service sends them.'));
      return;
    }
    const now = Date.now();
    const newest = [...store.mails.values()].slice(-shownMax).reverse();
    list.replaceChildren(...newest.map(mail => html('li', { class: 'mail' },
      html('span', { class: 'mail-subject' },
        html('a', { href: orderHash(mail.orderId), title: mail.file }, mail.orderId)),
      html('span', { class: 'mail-note' }, `${age(mail.time, now)} ago`))));
  };
  store.on('mails', draw, 1000);
  store.on('stats', () => list.querySelector('.skeleton') && draw());
}
