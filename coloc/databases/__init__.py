"""The servers and files that hold the apps' data: how to reach them, ask them, and name things to them safely."""
