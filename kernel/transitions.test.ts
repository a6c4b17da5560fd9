import { canGo, reachable, type TransitionTable } from './transitions';

type Light = 'red' | 'green' | 'amber' | 'broken' | 'unused';
const lights: TransitionTable<Light> = {
  red: ['green', 'broken'],
  green: ['amber', 'broken', 'green'],
  amber: ['red', 'broken'],
  broken: [],
  unused: ['red'],
};

test('only what the table lists is allowed', () => {
  expect(canGo(lights, 'red', 'green')).toBe(true);
  expect(canGo(lights, 'green', 'red')).toBe(false);
  expect(canGo(lights, 'broken', 'red')).toBe(false);
});

test('a state follows itself only where the table says so', () => {
  expect(canGo(lights, 'green', 'green')).toBe(true);
  expect(canGo(lights, 'red', 'red')).toBe(false);
});

test('reachable follows circles to their end and finds no state that nothing leads to', () => {
  expect([...reachable(lights, 'red')].sort()).toEqual(['amber', 'broken', 'green', 'red']);
  expect([...reachable(lights, 'broken')]).toEqual(['broken']);
});
