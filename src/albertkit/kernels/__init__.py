"""What is compiled: the encoder in int8 for x86-64 processors with AVX-512 VNNI, without any framework."""
