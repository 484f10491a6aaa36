/** Time from outside. Leases and deadlines that several processes share use the database's clock instead. */
export interface Clock {
  now(): Date;
}
