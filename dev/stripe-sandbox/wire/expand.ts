import { StripeProblem } from '../memory/errors';
import type { Tx } from '../memory/unit-of-work';
import { page } from './lists';

/** See https://docs.stripe.com/expand: "Expansions have a maximum depth of four levels." */
const MAX_DEPTH = 4;

/**
 * Replaces ids by the objects they name, along paths such as `latest_charge.balance_transaction` or, in lists,
 * `data.customer`.
 * @throws StripeProblem (400) if a path leads to something that has no object behind it.
 */
export function expandAll(tx: Tx, body: object, paths: readonly string[] = []): object {
  let expanded = body;
  for (const path of paths) {
    const parts = path.split('.');
    if (parts.length > MAX_DEPTH) throw cannotExpand(path);
    expanded = expandField(tx, expanded, parts, path);
  }
  return expanded;
}

function expandField(tx: Tx, parent: object, [field = '', ...rest]: string[], path: string): object {
  const value: unknown = field === 'refunds' ? refundsOf(tx, parent) : Reflect.get(parent, field);
  if (value === null) return parent;
  if (Array.isArray(value)) {
    if (field !== 'data' || rest.length === 0) throw cannotExpand(path);
    const items: unknown[] = value;
    return { ...parent, data: items.map((item) => (isObject(item) ? expandField(tx, item, rest, path) : item)) };
  }
  const target = typeof value === 'string' ? lookUp(tx, value) : value;
  if (!isObject(target)) throw cannotExpand(path);
  return { ...parent, [field]: rest.length === 0 ? target : expandField(tx, target, rest, path) };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Ids say by their prefix what they name. */
function lookUp(tx: Tx, id: string): object | undefined {
  const prefix = id.slice(0, id.indexOf('_'));
  switch (prefix) {
    case 'acct':
      return tx.accounts.find(id);
    case 'ba':
      return tx.bankAccounts.find(id);
    case 'ch':
      return tx.charges.find(id);
    case 'cus':
      return tx.customers.find(id);
    case 'du':
      return tx.disputes.find(id);
    case 'pi':
      return tx.paymentIntents.find(id);
    case 'pm':
      return tx.paymentMethods.find(id);
    case 'po':
      return tx.payouts.find(id);
    case 're':
      return tx.refunds.find(id);
    case 'seti':
      return tx.setupIntents.find(id);
    case 'tr':
      return tx.transfers.find(id);
    case 'trr':
      return tx.reversals.find(id);
    case 'txn':
      return tx.balanceTransactions.find(id);
    default:
      return undefined;
  }
}

/** A charge's refunds are left out unless asked for. See https://docs.stripe.com/api/charges/object#charge_object-refunds */
function refundsOf(tx: Tx, parent: object): object | undefined {
  if (!('object' in parent) || parent.object !== 'charge' || !('id' in parent)) return undefined;
  const id = String(parent.id);
  return page(tx.refunds, `/v1/charges/${id}/refunds`, {}, { link: `charge:${id}` });
}

function cannotExpand(path: string): StripeProblem {
  return new StripeProblem(
    400,
    {
      type: 'invalid_request_error',
      message: `This property cannot be expanded (${path}). You may want to try expanding a different property.`,
    },
    { executed: false },
  );
}
