// The shared library is avatar_core with only avatar_* visible; see CMakeLists.txt.
