"""Read millions of files on Ray, into Parquet files that another run continues.

How a run proceeds: `sources` lists the input, `plan` divides what is new into shards and writes that down, `run` hands
the shards to actors, `worker` reads one, and `tables` writes it. What makes a continuation safe is in `storage`:
nothing that exists is ever replaced.
"""
