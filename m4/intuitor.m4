# SPDX-License-Identifier: MIT
# Macros of this project's configure.ac and of the backends' configure.m4.

# _IT_CC_TRY(FLAG, IF-KNOWN, IF-UNKNOWN)
# Compile and link: some flags (sanitizers, coverage) need a library of their own.
AC_DEFUN([_IT_CC_TRY],
[AS_VAR_PUSHDEF([it_cv], [it_cv_cc_flag_$1])dnl
AC_CACHE_CHECK([whether $CC takes $1], [it_cv],
  [it_saved_CFLAGS=$CFLAGS
   CFLAGS="$CFLAGS -Werror $1"
   AC_LINK_IFELSE([AC_LANG_SOURCE([[int main(void) { return 0; }]])],
     [AS_VAR_SET([it_cv], [yes])], [AS_VAR_SET([it_cv], [no])])
   CFLAGS=$it_saved_CFLAGS])
AS_VAR_IF([it_cv], [yes], [$2], [$3])
AS_VAR_POPDEF([it_cv])])

# IT_CC_TAKE(VARIABLE, FLAG): append FLAG where the compiler knows it.
AC_DEFUN([IT_CC_TAKE],
[_IT_CC_TRY([$2], [AS_VAR_APPEND([$1], [" $2"])], [:])])

# IT_CC_REQUIRE(VARIABLE, FLAG): append FLAG, or stop.
AC_DEFUN([IT_CC_REQUIRE],
[_IT_CC_TRY([$2], [AS_VAR_APPEND([$1], [" $2"])],
  [AC_MSG_ERROR([$CC does not take $2, which this build needs])])])

# IT_OPTIONAL(NAME, HEADER, LIBRARIES, FUNCTION, DEBIAN-PACKAGE, WHAT-FOR)
# A library that the main job can live without: --with-NAME, --without-NAME, default: what is found.
# Where it is found, HAVE_<NAME> is defined, the condition HAVE_<NAME> holds, and LIBRARIES (as the
# linker takes them; empty for one that is opened at run time) join DEPS_LIBS.
AC_DEFUN([IT_OPTIONAL],
[AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1], [$6 (default: if found)])],
  [], [with_$1=check])
it_have=no
AS_IF([test "x$with_$1" != xno],
  [AC_CHECK_HEADER([$2],
     [it_saved_LIBS=$LIBS
      LIBS="$3 $LIBS"
      AC_MSG_CHECKING([for $4 with $3])
      AC_LINK_IFELSE([AC_LANG_SOURCE([[char $4(void); int (*volatile keep)(void);
                                       int main(void) { keep = (int (*)(void))$4; return 0; }]])],
        [it_have=yes])
      AC_MSG_RESULT([$it_have])
      LIBS=$it_saved_LIBS])
   AS_IF([test "x$with_$1$it_have" = xyesno],
     [AC_MSG_ERROR([--with-$1 was asked for, but it was not found (Debian: $5)])])])
AS_IF([test "x$it_have" = xyes],
  [AC_DEFINE([HAVE_]m4_toupper([$1]), [1], [$6])
   DEPS_LIBS="$DEPS_LIBS $3"])
AM_CONDITIONAL([HAVE_]m4_toupper([$1]), [test "x$it_have" = xyes])
AS_IF([test "x$it_have" = xyes], [it_remark="$6"],
      [test "x$with_$1" = xno], [it_remark="left out as asked"],
      [it_remark="not found; for $6 (Debian: $5)"])
it_optional_report="$it_optional_report
    m4_format([[%-11s]], [$1]) $it_have: $it_remark"])

# IT_ADD_BACKEND(NAME, yes|no, REMARK)
# What a backend's configure.m4 ends with: enters the backend into this build, or says why not.
# Defines the condition BACKEND_<NAME> for its local.mk.
AC_DEFUN([IT_ADD_BACKEND],
[AM_CONDITIONAL([BACKEND_]m4_toupper([$1]), [test "x$2" = xyes])
AS_IF([test "x$2" = xyes], [it_backends="$it_backends $1"])
it_backend_report="$it_backend_report
    m4_format([[%-11s]], [$1]) $2: $3"])
