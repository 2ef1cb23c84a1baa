# SPDX-License-Identifier: MIT
# The OpenCL backend needs the headers; the loader is opened when the program runs.
AC_ARG_WITH([opencl],
  [AS_HELP_STRING([--with-opencl], [the OpenCL backend (default: if CL/cl.h is found)])],
  [], [with_opencl=check])
it_opencl=no
AS_IF([test "x$with_opencl" = xno], [it_opencl_why="left out as asked"],
  [AC_CHECK_HEADER([CL/cl.h], [it_opencl=yes], [], [#define CL_TARGET_OPENCL_VERSION 120])
   AS_IF([test "x$it_opencl" = xyes], [it_opencl_why="OpenCL 1.2, the loader opened at run time"],
     [it_opencl_why="no CL/cl.h (Debian: opencl-headers)"
      AS_IF([test "x$with_opencl" = xyes],
        [AC_MSG_ERROR([--with-opencl was asked for: $it_opencl_why])])])])
IT_ADD_BACKEND([opencl], [$it_opencl], [$it_opencl_why])
