"""The models there are on this machine and on the hub: what each is, needs and can. Loads and answers nothing."""
